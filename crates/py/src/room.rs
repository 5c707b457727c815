//! Memory for what comes from Python and what goes there, asked for before it is taken. What Python itself takes for it
//! cannot be asked for: where that fails, it is the same error.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use trillm::{Class, memory};

use crate::errors::{exception, raise};

/// Checks that there is memory for `count` values of `T`, which are called `what`.
///
/// # Errors
/// `OutOfMemory`.
pub(crate) fn check<T>(count: usize, what: &str) -> PyResult<()> {
    let is_small = count.saturating_mul(size_of::<T>()) < memory::LARGE;
    if is_small { Ok(()) } else { memory::check::<T>(count, what).map_err(raise) }
}

/// The error for memory that Python lacks for `what`, if that is what this one says; any other as it is.
pub(crate) fn told(py: Python<'_>, error: PyErr, what: &str) -> PyErr {
    // Ours is one, too.
    if error.get_type(py).is(py.get_type::<PyMemoryError>()) {
        exception((Class::OutOfMemory, "out_of_memory"), &format!("no memory for {what}"), None)
    } else {
        error
    }
}
