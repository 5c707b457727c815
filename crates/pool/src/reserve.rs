//! Threads that are started before a library that wants threads of its own begins: such libraries assert that the system
//! gives them, or wait for ever.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Stacks of threads that are started without saying how large: the usual default on Linux.
const STACK: usize = 8 << 20;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that wait for something to do. Dropping it ends those that were not handed out.
pub struct Reserve {
    waiting: Mutex<Vec<(Sender<Work>, JoinHandle<()>)>>,
}

impl Reserve {
    /// Starts `count` threads, called `name`.
    ///
    /// # Errors
    /// If the system does not give so many now; those that it gave are ended.
    pub fn new(count: usize, name: &str) -> io::Result<Self> {
        // Made first, so that threads which did start are ended if a later one does not.
        let reserve = Self { waiting: Mutex::new(Vec::new()) };
        for _ in 0..count {
            let (sender, work) = channel::<Work>();
            let thread = Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
                // Nothing, if it is not needed.
                if let Ok(work) = work.recv() {
                    work();
                }
            })?;
            reserve.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((sender, thread));
        }
        Ok(reserve)
    }

    /// Has one of the threads do this, and nothing after it. `None` if all of them were handed out.
    pub fn hand_out(&self, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
        let (sender, thread) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        // It waits for nothing else.
        sender.send(Box::new(work)).ok()?;
        Some(thread)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (sender, thread) in waiting.drain(..) {
            drop(sender);
            // It did nothing that could panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn as_many_as_were_started_can_be_had() {
        let reserve = Reserve::new(3, "reserve").expect("three threads");
        let done = Arc::new(AtomicUsize::new(0));
        let work = || {
            let done = done.clone();
            move || {
                done.fetch_add(1, Relaxed);
            }
        };
        let [one, other] = [(); 2].map(|()| reserve.hand_out(work()).expect("a thread"));
        one.join().expect("no panic");
        other.join().expect("no panic");
        assert_eq!(done.load(Relaxed), 2);
        reserve.hand_out(work()).expect("the last one").join().expect("no panic");
        assert!(reserve.hand_out(work()).is_none());
    }

    #[test]
    fn none_is_as_good_as_any_number() {
        drop(Reserve::new(0, "reserve").expect("nothing to start"));
        drop(Reserve::new(4, "reserve").expect("four threads"));
    }
}
