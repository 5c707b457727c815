//! What may not be pickled says so.
//!
//! Pickle's protocols from 2 on refuse a native object by themselves. The two before it write one that has no
//! `__reduce__` as if it were empty, and whoever reads that fails without knowing why.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Makes every class of the module refuse to be pickled that does not say how it is.
pub(crate) fn refuse(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let register = module.py().import("copyreg")?.getattr("pickle")?;
    let refused = wrap_pyfunction!(refused, module)?;
    for class in module.dict().values() {
        if class.is_instance_of::<PyType>() && !class.getattr("__dict__")?.contains("__reduce__")? {
            register.call1((class, &refused))?;
        }
    }
    Ok(())
}

#[pyfunction]
fn refused(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let class = object.get_type().fully_qualified_name()?;
    Err(PyTypeError::new_err(format!("cannot pickle '{class}' object: what it stands for is in this process alone")))
}
