//! Settings for a machine, to Python.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::runtime::optimize::{Chosen, Device, Facts, optimize as chosen};

/// The best settings known for a machine: for each name its value and the reason.
#[pyfunction]
#[pyo3(signature = (usable, cores, available, gpus))]
pub(crate) fn optimize(
    py: Python<'_>,
    usable: u32,
    cores: Option<u32>,
    available: Option<u64>,
    gpus: Vec<String>,
) -> PyResult<Bound<'_, PyDict>> {
    let settings = chosen(&Facts { usable, cores, available, gpus });
    let dict = PyDict::new(py);
    let Chosen { value, reason } = settings.device;
    dict.set_item("threads", (settings.threads.value, settings.threads.reason))?;
    dict.set_item("device", (value.name(), reason))?;
    dict.set_item("context", (settings.context.value, settings.context.reason))?;
    dict.set_item("batch", (settings.batch.value, settings.batch.reason))?;
    dict.set_item("quantization", (settings.quantization.value, settings.quantization.reason))?;
    dict.set_item("engine", (settings.engine.value, settings.engine.reason))?;
    Ok(dict)
}

/// What the option `device` calls a GPU that its backend calls so.
#[pyfunction]
pub(crate) fn device_of(gpu: &str) -> &'static str {
    Device::named(gpu).name()
}
