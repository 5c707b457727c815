//! Conversions for Python: one call, without the interpreter lock.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm_convert::{Convert, Dtype, Target};

use crate::enter::outside;
use crate::errors::{invalid, raise};
use crate::watch::Watch;

/// Converts the model at `source` and writes it to `destination`, which appears when it is complete. `progress` is
/// called with the bytes of weights written and those there will be; returning `False` cancels.
#[pyfunction]
#[pyo3(signature = (source, destination, *, to, dtype, overwrite=false, progress=None))]
pub(crate) fn convert<'py>(
    py: Python<'py>,
    source: PathBuf,
    destination: PathBuf,
    to: &str,
    dtype: &str,
    overwrite: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let to = match to {
        "safetensors" => Target::Safetensors,
        "gguf" => Target::Gguf,
        other => return Err(invalid("to", other, "safetensors or gguf")),
    };
    let dtype = match dtype {
        "bf16" => Dtype::Bf16,
        "f16" => Dtype::F16,
        "f32" => Dtype::F32,
        other => return Err(invalid("dtype", other, "bf16, f16 or f32")),
    };
    let watch = Watch::new(progress);
    let made = outside(py, || {
        trillm_convert::convert(&source, &destination, &Convert { to, dtype, overwrite }, &mut |progress| {
            watch.goes_on((progress.written, progress.total))
        })
    })?;
    let report = made.map_err(|error| watch.raised().unwrap_or_else(|| raise(error)))?;
    let dict = PyDict::new(py);
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("tensors", report.tensors)?;
    dict.set_item("seconds", report.seconds)?;
    dict.set_item("notes", report.notes)?;
    Ok(dict)
}
