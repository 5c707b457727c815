//! How a decode thread rings an event loop without the interpreter lock: a byte in a socket.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Wake;

use pyo3::prelude::*;
use trillm::CoreError;

use crate::errors::raise;

struct Bell {
    send: UnixStream,
    /// A byte is already on its way: one is enough for however many pieces.
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, SeqCst) {
            // Cannot fail for lack of room: at most one byte is in it. If the loop is gone, nobody waits.
            let _ = (&self.send).write(&[1]);
        }
    }
}

/// A socket that is readable when a stream that polled with it has something.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Doorbell {
    bell: Arc<Bell>,
    receive: UnixStream,
}

impl Doorbell {
    pub(crate) fn waker(&self) -> std::task::Waker {
        self.bell.clone().into()
    }
}

#[pymethods]
impl Doorbell {
    #[new]
    fn new() -> PyResult<Self> {
        let made = || {
            let (send, receive) = UnixStream::pair()?;
            send.set_nonblocking(true)?;
            receive.set_nonblocking(true)?;
            Ok((send, receive))
        };
        let failed = |error: io::Error| raise(CoreError::not_given("asyncio", "a socket for an event loop", &error));
        let (send, receive) = made().map_err(failed)?;
        Ok(Self { bell: Arc::new(Bell { send, rung: AtomicBool::new(false) }), receive })
    }

    /// The descriptor to watch for reading.
    fn fileno(&self) -> i32 {
        self.receive.as_raw_fd()
    }

    /// Makes it silent. Streams are to be polled after this, not before.
    fn clear(&self) {
        // The byte first: a ring between the two then leaves a byte behind, and the loop looks once too often.
        let _ = (&self.receive).read(&mut [0; 8]);
        self.bell.rung.store(false, SeqCst);
    }
}
