//! The one door out of the interpreter lock.
//!
//! Code behind it owns what it touches and knows no Python object. Waiting is done in slices, so that Ctrl-C is seen.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use trillm::Coded;

use crate::errors::raise;

/// How long a wait may keep a signal from being seen.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Threads that are outside and will come back in; see [`wait_for_others`].
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

struct Outside;

impl Outside {
    fn new() -> Self {
        OUTSIDE.fetch_add(1, SeqCst);
        Self
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        OUTSIDE.fetch_sub(1, SeqCst);
    }
}

/// Runs `work` without the interpreter lock and raises what it returns as an error.
pub(crate) fn enter<T: Send, E: Coded + Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<T> {
    outside(py, work).map_err(raise)
}

/// Runs `work` without the interpreter lock.
pub(crate) fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    // Dropped when the lock is held again.
    let _outside = Outside::new();
    py.detach(work)
}

/// Repeats `slice`, each time for at most [`SLICE`] and without the interpreter lock, until it says that it is done.
/// Between slices signal handlers run, and what they raise is raised here.
pub(crate) fn wait(py: Python<'_>, mut slice: impl FnMut() -> bool + Send) -> PyResult<()> {
    while !outside(py, &mut slice) {
        py.check_signals()?;
    }
    Ok(())
}

/// Waits, at most `limit`, until no thread is outside but this one. At exit: a thread that comes in while the
/// interpreter is being torn down would be killed in the middle of native code.
pub(crate) fn wait_for_others(limit: Duration) {
    let end = Instant::now() + limit;
    while OUTSIDE.load(SeqCst) > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}
