//! Work that may take seconds, on a thread beside the caller's, who does other things meanwhile: looks for signals, or
//! serves an event loop.
//!
//! Nobody can stop it in the middle. Whoever wants it no more leaves it to end by itself, and what it made is dropped
//! there. The thread comes into Python for one thing alone: to read what takes long to read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::Builder;

use pyo3::prelude::*;
use trillm::CoreError;

use crate::door::{Panic, call, inside, stay_out_at_exit};
use crate::enter::{self, SLICE, outside};
use crate::errors::raise;
use crate::pool::Pool;

const NAME: &str = "trillm-aside";

/// Whether a text takes longer than a millisecond to become tokens, on a slow machine.
pub(crate) fn is_long(text: &str) -> bool {
    text.len() > 4096
}

/// Does `work` on `with` for a caller who waits, beside this thread if it is `long`. Signals are seen meanwhile; if it is
/// not long, whenever the work asks whether it is given up.
pub(crate) fn aside<W: Send + Sync + 'static, T: Send + 'static>(
    py: Python<'_>,
    long: bool,
    with: Arc<W>,
    work: impl FnOnce(&W, &dyn Fn() -> bool) -> T + Send + 'static,
) -> PyResult<T> {
    if long {
        return Aside::begin(None, with, work)?.wait(py);
    }
    let raised = Mutex::new(None);
    let made = outside(py, || {
        work(&with, &|| {
            let seen: PyResult<()> = inside(|py| {
                py.check_signals()?;
                Ok(())
            });
            let Err(error) = seen else { return false };
            raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            true
        })
    });
    match raised.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(raised) => Err(raised),
        None => made,
    }
}

/// Reads a Python object on a thread beside the one it is from. Whoever reads lets others have the lock now and then.
pub(crate) fn reading<T>(given: Py<PyAny>, read: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> PyResult<T> {
    inside(|py| {
        let given = given.into_bound(py);
        call(py, || read(&given))
    })
}

/// What a thread beside this one makes. Dropping it tells the work that nobody waits any more.
pub(crate) struct Aside<T> {
    made: Receiver<Result<T, Panic>>,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Watch {
    given_up: AtomicBool,
    /// Who is told that it is done.
    waker: Mutex<Option<Waker>>,
}

impl Watch {
    fn ring(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> Aside<T> {
    /// Begins `work` on `with`, in a pool or on a thread of its own. The work may ask whether it is given up.
    pub(crate) fn begin<W: Send + Sync + 'static>(
        pool: Option<&Arc<Pool>>,
        with: Arc<W>,
        work: impl FnOnce(&W, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> PyResult<Self> {
        let (send, made) = channel();
        let watch = Arc::new(Watch::default());
        let seen = watch.clone();
        let job = move || {
            let given_up = || seen.given_up.load(Acquire);
            let done = catch_unwind(AssertUnwindSafe(|| work(&with, &given_up)));
            // What is dropped from here on may be a model, whose engine is torn down at exit by another thread.
            stay_out_at_exit();
            // Nobody may be waiting any more.
            let _ = send.send(done);
            seen.ring();
        };
        let begun = match pool {
            Some(pool) => pool.add(Box::new(job)),
            None => Builder::new().name(NAME.into()).spawn(job).map(drop),
        };
        begun.map_err(|error| raise(CoreError::no_thread(NAME, &error)))?;
        Ok(Self { made, watch })
    }

    /// Waits without the interpreter lock; signals are seen meanwhile.
    pub(crate) fn wait(self, py: Python<'_>) -> PyResult<T> {
        let mut found = None;
        let into = &mut found;
        enter::wait(py, move || {
            *into = match self.made.recv_timeout(SLICE) {
                Ok(made) => Some(made),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Err(gone())),
            };
            into.is_some()
        })?;
        found.unwrap_or_else(|| Err(gone())).map_err(|panic| enter::panicked(&panic))
    }

    /// What was made, if it is there; if not, `waker` is called when it is.
    pub(crate) fn poll(&self, waker: Waker) -> Option<Result<T, Panic>> {
        let look = || match self.made.try_recv() {
            Ok(made) => Some(made),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(gone())),
        };
        look().or_else(|| {
            *self.watch.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
            // Again, for what came between the look and the registration.
            look()
        })
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        self.watch.given_up.store(true, Release);
        self.watch.ring();
    }
}

fn gone() -> Panic {
    Box::new("a thread ended without a result")
}
