//! Whether a caller still wants its model, for the code of Python that brings it.

use pyo3::prelude::*;
use trillm::runtime::GoesOn;

use crate::enter::outside;

/// A function for progress: false once nobody waits any more.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Wanted(pub(super) GoesOn);

#[pymethods]
impl Wanted {
    #[pyo3(signature = (*_progress))]
    fn __call__(&self, py: Python<'_>, _progress: &Bound<'_, PyAny>) -> PyResult<bool> {
        outside(py, || (self.0)())
    }
}
