//! The runtime's compute threads, which are ours.
//!
//! Where a thread of its own cannot be started, the runtime waits for those that were, for ever. So all that a session
//! wants are started before it is made, and it gets them one by one.

use std::io;
use std::thread::JoinHandle;

use ort::environment::ThreadManager;
use trillm_pool::Reserve;

/// Threads for one session.
pub(crate) struct Threads(Reserve);

impl Threads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// If the system does not give so many.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        Reserve::new(count, "trillm-onnx").map(Self)
    }
}

impl ThreadManager for Threads {
    type Thread = JoinHandle<()>;

    fn create(&self, work: impl FnOnce() + Send + 'static) -> ort::Result<Self::Thread> {
        self.0.hand_out(work).ok_or_else(|| ort::Error::new("a session wants more threads than it was made for"))
    }

    fn join(thread: Self::Thread) -> ort::Result<()> {
        thread.join().map_err(|_| ort::Error::new("a compute thread panicked"))
    }
}
