//! Memory for what comes from Python and what goes there, asked for before it is taken.

use pyo3::PyResult;
use trillm::memory;

use crate::errors::raise;

/// Bytes: what is smaller finds what it needs.
const LARGE: usize = 1 << 16;

/// Checks that there is memory for `count` values of `T`, which are called `what`.
///
/// # Errors
/// `OutOfMemory`.
pub(crate) fn check<T>(count: usize, what: &str) -> PyResult<()> {
    if count.saturating_mul(size_of::<T>()) < LARGE { Ok(()) } else { memory::check::<T>(count, what).map_err(raise) }
}
