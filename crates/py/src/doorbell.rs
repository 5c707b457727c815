//! How a decode thread rings an event loop without the interpreter lock: a byte in a socket.
//!
//! Thousands may wait for one doorbell, so each has a ticket, which says whether it was for them that it rang.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Wake, Waker};

use pyo3::prelude::*;
use trillm::CoreError;

use crate::errors::raise;

struct Bell {
    send: UnixStream,
    /// A byte is already on its way: one is enough for however many pieces.
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, SeqCst) {
            // Cannot fail for lack of room: at most one byte is in it. If the loop is gone, nobody waits.
            let _ = (&self.send).write(&[1]);
        }
    }
}

/// What one of those who wait is called by.
struct Turn {
    bell: Arc<Bell>,
    called: AtomicBool,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, SeqCst);
        self.bell.ring();
    }
}

/// The place of one who waits for a doorbell: to poll with, again and again.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Ticket(Arc<Turn>);

impl Ticket {
    /// For who is about to look whether there is something.
    pub(crate) fn waker(&self) -> Waker {
        self.0.called.store(false, SeqCst);
        self.0.clone().into()
    }
}

#[pymethods]
impl Ticket {
    /// Whether there may be something since the last poll.
    #[getter]
    fn called(&self) -> bool {
        self.0.called.load(SeqCst)
    }
}

/// A socket that is readable when one who polled with a ticket of it has something.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Doorbell {
    bell: Arc<Bell>,
    receive: UnixStream,
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

    /// A place for one more who waits.
    fn ticket(&self) -> Ticket {
        Ticket(Arc::new(Turn { bell: self.bell.clone(), called: AtomicBool::new(false) }))
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
