//! Which files somebody writes to, as Linux tells it: a `touch` changes the times of a file as a write does, and only
//! the second changes weights. (One that sets the time of the last write alone, `touch -m`, is reported as a write.)
//!
//! One watcher serves the process, since a user may have few of them. Where there is none (another system, or all are
//! in use) the times of a file are all there is to go by.

#[cfg(not(target_os = "linux"))]
use std::fs::File;

/// A file that is watched for writes.
pub(crate) struct Watch {
    #[cfg(target_os = "linux")]
    descriptor: i32,
}

#[cfg(not(target_os = "linux"))]
impl Watch {
    pub(crate) fn new(_: &File) -> Option<Self> {
        None
    }

    pub(crate) fn writes(&self) -> u64 {
        0
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

    use super::Watch;

    /// The process's watcher.
    struct Watcher {
        socket: OwnedFd,
        files: Mutex<HashMap<i32, Watched>>,
    }

    /// A file, which may be mapped more than once.
    #[derive(Default)]
    struct Watched {
        holders: u32,
        writes: u64,
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
                        file.writes += 1;
                    }
                } else if let Some(file) = files.get_mut(&event.wd()) {
                    file.writes += u64::from(event.events().contains(ReadFlags::MODIFY));
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
            let descriptor = inotify::add_watch(&watcher.socket, path, WatchFlags::MODIFY).ok()?;
            files.entry(descriptor).or_default().holders += 1;
            Some(Self { descriptor })
        }

        /// How often it was written to, shortened or lengthened since it was first watched.
        pub(crate) fn writes(&self) -> u64 {
            let Some(watcher) = Watcher::of_process() else { return 0 };
            let mut files = watcher.files();
            watcher.receive(&mut files);
            files.get(&self.descriptor).map_or(0, |file| file.writes)
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
