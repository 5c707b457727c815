//! The one door out of the interpreter lock, and back in.
//!
//! It knows no error of Python's, so that making one may go through it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use pyo3::prelude::*;

/// The thread that tears the interpreter down, once one does. Only daemon threads are left beside it, and whichever of
/// them came back in would be killed in the middle of native code, or print the error that closing made.
static EXITING: OnceLock<ThreadId> = OnceLock::new();

/// What a panic leaves.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs `work` without the interpreter lock. A panic in it is caught: PyO3 would make it an exception that
/// `except Exception` does not catch.
pub(crate) fn out<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> Result<T, Panic> {
    py.detach(|| {
        // What `work` held when it panicked is dropped or guarded by locks that take poison for what it is.
        let done = catch_unwind(AssertUnwindSafe(work));
        stay_out_at_exit();
        done
    })
}

/// Runs `work` with the interpreter lock in the middle of what runs without it.
///
/// A thread that asks for the lock of an interpreter that is gone is ended by unwinding, which nothing may catch, and
/// [`out`] would: at exit it does not come here any more.
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

/// Runs `work` without the interpreter lock as the interpreter exits; no other thread comes in any more.
pub(crate) fn exit(py: Python<'_>, work: impl FnOnce() + Send) {
    EXITING.get_or_init(|| thread::current().id());
    py.detach(work);
}
