//! Memory for what comes from Python and what goes there, asked for before it is taken.

use pyo3::PyResult;
use trillm::memory;

use crate::errors::raise;

/// Checks that there is memory for `count` values of `T`, which are called `what`.
///
/// # Errors
/// `OutOfMemory`.
pub(crate) fn check<T>(count: usize, what: &str) -> PyResult<()> {
    let is_small = count.saturating_mul(size_of::<T>()) < memory::LARGE;
    if is_small { Ok(()) } else { memory::check::<T>(count, what).map_err(raise) }
}
