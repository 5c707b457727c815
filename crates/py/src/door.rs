//! The one door out of the interpreter lock, and back in.
//!
//! It makes no error of Python's, so that making one may go through it; what an import lacks says `trillm._later`.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// The thread that tears the interpreter down, once one does. Only daemon threads are left beside it, and whichever of
/// them came back in would be killed in the middle of native code, or print the error that closing made.
static EXITING: OnceLock<ThreadId> = OnceLock::new();

/// How many calls of Python's code from ours there are, on all threads and on this one.
static CALLS: AtomicUsize = AtomicUsize::new(0);
thread_local!(static MINE: Cell<usize> = const { Cell::new(0) });

/// How long the end of the interpreter waits for those calls. They are short; what is not may be stuck.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Runs `work`, which calls Python's code, on a thread that has the interpreter lock.
///
/// Such code lets go of the lock now and then, above all while it imports, and a thread that asks for it again at exit
/// is ended as [`inside`] says, with our own code around it. So the interpreter waits until such calls are done, and
/// none begins then.
pub(crate) fn call<T>(py: Python<'_>, work: impl FnOnce() -> T) -> T {
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            CALLS.fetch_sub(1, SeqCst);
            MINE.set(MINE.get() - 1);
        }
    }
    CALLS.fetch_add(1, SeqCst);
    MINE.set(MINE.get() + 1);
    let _counted = Counted;
    if is_over() {
        let _ = out(py, || ());
    }
    work()
}

/// [`call`] with one of Python's modules, which may be imported by that.
pub(crate) fn module<'py, T>(
    py: Python<'py>,
    name: &str,
    work: impl FnOnce(Bound<'py, PyModule>) -> PyResult<T>,
) -> PyResult<T> {
    let import = || py.import(name);
    // Where another thread's import of it fails meanwhile, there is none after this one's: that is a `KeyError`.
    let again = |error: PyErr| if error.is_instance_of::<PyKeyError>(py) { import() } else { Err(error) };
    let told = |error: PyErr| {
        let later = py.import("trillm._later").and_then(|later| later.call_method1("told", (error.value(py), name)));
        later.map_or_else(|failed| failed, PyErr::from_value)
    };
    call(py, || work(import().or_else(again).map_err(told)?))
}

/// Whether another thread tears the interpreter down.
fn is_over() -> bool {
    EXITING.get().is_some_and(|exiting| *exiting != thread::current().id())
}

/// Keeps all threads but the one that tears the interpreter down where they are.
pub(crate) fn stay_out_at_exit() {
    if is_over() {
        // Nobody is to wait for what does not go on.
        CALLS.fetch_sub(MINE.take(), SeqCst);
    }
    while is_over() {
        thread::park();
    }
}

/// Runs `work` without the interpreter lock as the interpreter exits; no other thread comes in any more.
pub(crate) fn exit(py: Python<'_>, work: impl FnOnce() + Send) {
    EXITING.get_or_init(|| thread::current().id());
    py.detach(|| {
        let mine = MINE.get();
        let end = Instant::now() + PATIENCE;
        while CALLS.load(SeqCst) > mine && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        work();
    });
}
