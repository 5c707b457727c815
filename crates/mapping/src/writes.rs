//! What somebody did to a file, as Linux tells it: a `touch` changes the times of a file as a write does, and only the
//! second changes weights. (One that sets the time of the last write alone, `touch -m`, is reported as a write, and
//! nothing else tells the two apart.) A write through a mapping is not reported at all; it changes the times.
//!
//! One watcher serves the process, since a user may have few of them. Where there is none (another system, or all are
//! in use) the times of a file are all there is to go by.

#[cfg(not(target_os = "linux"))]
use std::fs::File;

/// How often what was reported of a file, since it was first watched.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reports {
    /// Written to, shortened, lengthened, or given another time of the last write.
    pub writes: u64,
    /// Given other times, permissions or names.
    pub touches: u64,
}

/// A file that is watched.
pub(crate) struct Watch {
    #[cfg(target_os = "linux")]
    descriptor: i32,
}

#[cfg(not(target_os = "linux"))]
impl Watch {
    pub(crate) fn new(_: &File) -> Option<Self> {
        None
    }

    pub(crate) fn reports(&self) -> Reports {
        Reports::default()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use trillm_core::PerProcess;

    use super::{Reports, Watch};

    /// The process's watcher.
    struct Watcher {
        socket: OwnedFd,
        files: Mutex<HashMap<i32, Watched>>,
    }

    /// A file, which may be mapped more than once.
    #[derive(Default)]
    struct Watched {
        holders: u32,
        reports: Reports,
    }

    impl Watcher {
        /// Not the one of a parent: what one process hears of, the other never does, and a watch that it ends is gone.
        fn of_process() -> Option<&'static Self> {
            static WATCHER: PerProcess<Option<Watcher>> = PerProcess::new();
            let new = || {
                let socket = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
                Some(Watcher { socket, files: Mutex::default() })
            };
            WATCHER.get(new).as_ref()
        }

        fn files(&self) -> MutexGuard<'_, HashMap<i32, Watched>> {
            self.files.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Counts what was reported meanwhile.
        fn receive(&self, files: &mut HashMap<i32, Watched>) {
            let mut room = [MaybeUninit::uninit(); 1024];
            let mut reader = Reader::new(&self.socket, &mut room);
            while let Ok(event) = reader.next() {
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    // Some were lost: nobody knows whose.
                    for file in files.values_mut() {
                        file.reports.writes += 1;
                    }
                } else if let Some(file) = files.get_mut(&event.wd()) {
                    file.reports.writes += u64::from(event.events().contains(ReadFlags::MODIFY));
                    file.reports.touches += u64::from(event.events().contains(ReadFlags::ATTRIB));
                }
            }
        }
    }

    impl Watch {
        /// Watches an open file; `None` if that cannot be done.
        pub(crate) fn new(file: &File) -> Option<Self> {
            let watcher = Watcher::of_process()?;
            let mut files = watcher.files();
            // By its descriptor: what the path names may be another file by now.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let flags = WatchFlags::MODIFY | WatchFlags::ATTRIB;
            let descriptor = inotify::add_watch(&watcher.socket, path, flags).ok()?;
            files.entry(descriptor).or_default().holders += 1;
            Some(Self { descriptor })
        }

        /// What was reported of it.
        pub(crate) fn reports(&self) -> Reports {
            let Some(watcher) = Watcher::of_process() else { return Reports::default() };
            let mut files = watcher.files();
            watcher.receive(&mut files);
            files.get(&self.descriptor).map_or(Reports::default(), |file| file.reports)
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            let Some(watcher) = Watcher::of_process() else { return };
            let mut files = watcher.files();
            let Some(file) = files.get_mut(&self.descriptor) else { return };
            file.holders -= 1;
            if file.holders == 0 {
                files.remove(&self.descriptor);
                // It fails where the file is gone, and the watch with it.
                let _ = inotify::remove_watch(&watcher.socket, self.descriptor);
            }
        }
    }
}
