//! The one door out of the interpreter lock.
//!
//! Code behind it owns what it touches and knows no Python object. Waiting is done in slices, so that Ctrl-C is seen.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;
use trillm::Coded;

use crate::errors::{exception, raise};

/// How long a wait may keep a signal from being seen.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// The thread that tears the interpreter down, once one does. Only daemon threads are left beside it, and whichever of
/// them came back in would be killed in the middle of native code, or print the error that closing made.
static EXITING: OnceLock<ThreadId> = OnceLock::new();

/// Runs `work` without the interpreter lock and raises what it returns as an error.
pub(crate) fn enter<T: Send, E: Coded + Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<T> {
    outside(py, work)?.map_err(raise)
}

/// Runs `work` without the interpreter lock. A panic in it is a bug of ours, and an error like any other: PyO3 would make
/// it an exception that `except Exception` does not catch.
pub(crate) fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let done = py.detach(|| {
        // What `work` held when it panicked is dropped or guarded by locks that take poison for what it is.
        let done = catch_unwind(AssertUnwindSafe(work));
        stay_out_at_exit();
        done
    });
    done.map_err(|panic| panicked(&panic))
}

/// What a panic leaves.
pub(crate) type Panic = Box<dyn Any + Send>;

/// The error that a panic is to Python.
pub(crate) fn panicked(panic: &Panic) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("trillm failed: {}", text.unwrap_or("a panic without words"));
    exception("internal_error", &message, Some("this is a bug in trillm: please report it".into()))
}

/// Runs `work` with the interpreter lock in the middle of what runs without it.
///
/// A thread that asks for the lock of an interpreter that is gone is ended by unwinding, which nothing may catch, and
/// [`outside`] would: at exit it does not come here any more.
pub(crate) fn inside<T>(work: impl FnOnce(Python<'_>) -> T) -> T {
    stay_out_at_exit();
    Python::attach(work)
}

/// Keeps all threads but the one that tears the interpreter down where they are.
pub(crate) fn stay_out_at_exit() {
    while EXITING.get().is_some_and(|exiting| *exiting != thread::current().id()) {
        thread::park();
    }
}

/// Repeats `slice`, each time for at most [`SLICE`] and without the interpreter lock, until it says that it is done.
/// After each, signal handlers run, and what they raise is raised here.
pub(crate) fn wait(py: Python<'_>, mut slice: impl FnMut() -> bool + Send) -> PyResult<()> {
    loop {
        let done = outside(py, &mut slice)?;
        py.check_signals()?;
        if done {
            return Ok(());
        }
    }
}

/// Runs `work` without the interpreter lock as the interpreter exits; no other thread comes in any more.
pub(crate) fn exit(py: Python<'_>, work: impl FnOnce() + Send) {
    EXITING.get_or_init(|| thread::current().id());
    py.detach(work);
}
