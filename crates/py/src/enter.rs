//! Native work, for a call of Python's: out of the interpreter lock, with what becomes of errors and panics.
//!
//! Such work owns what it touches and knows no Python object. Waiting is done in slices, so that Ctrl-C is seen.

use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use trillm::{Class, Coded};

use crate::door::{self, Panic};
use crate::errors::{exception, raise};

/// How long a wait may keep a signal from being seen.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// How many Python objects are read or made at most before others have their turn: some milliseconds, where they are
/// texts.
pub(crate) const AT_ONCE: usize = 1 << 12;

/// How long the lock is left to others by who wants it back. Who waits for it has to wake up first: one that is taken
/// back at once is got by nobody, and each try begins the wait anew after which Python itself would hand it over.
const TURN: Duration = Duration::from_micros(50);

/// Lets other threads have the interpreter lock, and runs signal handlers, whose errors are raised here: for work with
/// many Python objects, which needs the lock.
pub(crate) fn let_others(py: Python<'_>) -> PyResult<()> {
    outside(py, || thread::sleep(TURN))?;
    py.check_signals()
}

/// As an iterator's items are counted: after every so many, others have their turn.
pub(crate) fn let_others_after(py: Python<'_>, index: usize) -> PyResult<()> {
    if index % AT_ONCE == AT_ONCE - 1 { let_others(py) } else { Ok(()) }
}

/// Runs `work` without the interpreter lock and raises what it returns as an error.
pub(crate) fn enter<T: Send, E: Coded + Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<T> {
    outside(py, work)?.map_err(raise)
}

/// Runs `work` without the interpreter lock. A panic in it is a bug of ours, and an error like any other.
pub(crate) fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    door::out(py, work).map_err(|panic| panicked(&panic))
}

/// The error that a panic is to Python.
pub(crate) fn panicked(panic: &Panic) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("trillm failed: {}", text.unwrap_or("a panic without words"));
    exception((Class::Engine, "internal_error"), &message, Some("this is a bug in trillm: please report it".into()))
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
