//! Conversions for Python: one call, without the interpreter lock.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm_convert::{Convert, Dtype, Record, Target};

use crate::defaults;
use crate::enter::outside;
use crate::errors::{invalid, raise};
use crate::store::Store;
use crate::watch::Watch;

/// Converts the model at `source` and writes it to `destination`, which appears when it is complete. `progress` is
/// called with the bytes of weights written and those there will be; returning `False` cancels. `published` is what its
/// publisher recommends beside its files, as `ModelInfo.defaults` has it. `store` has it on record meanwhile, so that a
/// collection finds what is left if this process is killed.
#[expect(clippy::too_many_arguments, reason = "they are what Python calls it with")]
#[pyfunction]
#[pyo3(signature = (source, destination, *, to, dtype, overwrite=false, published=None, progress=None, store=None))]
pub(crate) fn convert<'py>(
    py: Python<'py>,
    source: PathBuf,
    destination: PathBuf,
    to: &str,
    dtype: &str,
    overwrite: bool,
    published: Option<&Bound<'py, PyAny>>,
    progress: Option<Py<PyAny>>,
    store: Option<&Store>,
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
    let published = published.map(|given| defaults::read("published", given)).transpose()?.unwrap_or_default();
    let options = Convert { to, dtype, overwrite, published };
    let watch = Watch::new(progress);
    let made = outside(py, || {
        let _record = store.and_then(|store| Record::new(store.inner(), &destination).ok());
        trillm_convert::convert(&source, &destination, &options, &mut |progress| {
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
