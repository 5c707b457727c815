//! Facts for `trillm doctor`, and about files that are not loaded.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm::{Cache, Memory, Processors, llama};

use crate::enter::{enter, outside};
use crate::info::ModelInfo;

/// Names of the engines that are compiled in.
#[pyfunction]
pub(crate) fn engines() -> Vec<&'static str> {
    trillm::engines().iter().map(|engine| engine.name()).collect()
}

/// Reads and checks a model file's header.
#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, path: PathBuf) -> PyResult<ModelInfo> {
    enter(py, || trillm::inspect(&path)).map(|info| ModelInfo::from(&info))
}

/// The files that a graph or an index names.
#[pyfunction]
pub(crate) fn named_files(py: Python<'_>, path: PathBuf, name: &str) -> PyResult<Vec<String>> {
    enter(py, || trillm::named_files(&path, name)).map(|names| names.into_iter().collect())
}

/// What loading a path comes to: the file that is opened, the folder with the small files, and the one that says how texts
/// become vectors; `None` if the path leads to no model.
#[pyfunction]
pub(crate) fn opened(py: Python<'_>, path: PathBuf) -> PyResult<Option<(PathBuf, PathBuf, PathBuf)>> {
    let found = enter(py, || trillm::opened(&path))?;
    Ok(found.map(|found| (found.file, found.small, found.modules)))
}

/// What the model is for whose `config.json` lies there; `None` if it cannot be read.
#[pyfunction]
pub(crate) fn purpose_of(py: Python<'_>, path: PathBuf) -> PyResult<Option<&'static str>> {
    Ok(outside(py, || trillm::purpose_of(&path))?.map(trillm::Purpose::name))
}

/// What this build and this machine can do.
#[pyfunction]
pub(crate) fn doctor(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("version", env!("CARGO_PKG_VERSION"))?;
    dict.set_item("engines", engines())?;
    dict.set_item("threads", trillm::default_threads())?;
    dict.set_item("build", trillm::BUILD.iter().copied().collect::<std::collections::BTreeMap<_, _>>())?;
    dict.set_item("llama", llama_facts(py)?)?;
    Ok(dict)
}

/// How fast memory is read, in bytes a second: as a file keeps it, or as measured now.
#[pyfunction]
#[pyo3(signature = (kept=None))]
pub(crate) fn bandwidth(py: Python<'_>, kept: Option<PathBuf>) -> PyResult<Option<f64>> {
    outside(py, || match kept {
        Some(file) => trillm::kept_bandwidth(&file, env!("CARGO_PKG_VERSION")),
        None => trillm::read_bandwidth(),
    })
}

/// The machine, as this process may use it.
#[pyfunction]
pub(crate) fn machine(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let look = || (Processors::now(), Cache::all(), Memory::now(), trillm::waiting());
    let (processors, caches, memory, waiting) = outside(py, look)?;
    let cpu = PyDict::new(py);
    cpu.set_item("model", processors.model)?;
    cpu.set_item("usable", processors.usable)?;
    cpu.set_item("cores", processors.cores)?;
    cpu.set_item("waiting", waiting)?;
    cpu.set_item("caches", caches.iter().map(|cache| (cache.level, cache.bytes, cache.shared)).collect::<Vec<_>>())?;
    cpu.set_item("flags", processors.features.map(Vec::from_iter))?;
    let bytes = PyDict::new(py);
    bytes.set_item("total", memory.as_ref().map(|memory| memory.total))?;
    bytes.set_item("available", memory.as_ref().map(|memory| memory.available))?;
    let limit = memory.and_then(|memory| memory.limit);
    bytes.set_item("limit", limit.as_ref().map(|limit| limit.bytes))?;
    bytes.set_item("limit_source", limit.map(|limit| limit.source.to_string()))?;
    let dict = PyDict::new(py);
    dict.set_item("cpu", cpu)?;
    dict.set_item("memory", bytes)?;
    Ok(dict)
}

fn llama_facts(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let (system, devices) = outside(py, || (llama::system_info(), llama::devices()))?;
    let dict = PyDict::new(py);
    dict.set_item("version", system.version)?;
    dict.set_item("commit", system.commit)?;
    dict.set_item("features", system.features)?;
    dict.set_item("gpu", system.gpu)?;
    let list = PyList::empty(py);
    for device in devices {
        let item = PyDict::new(py);
        item.set_item("name", device.name)?;
        item.set_item("description", device.description)?;
        item.set_item("kind", kind(device.kind))?;
        item.set_item("memory_total", device.memory_total)?;
        item.set_item("memory_free", device.memory_free)?;
        list.append(item)?;
    }
    dict.set_item("devices", list)?;
    Ok(dict)
}

fn kind(kind: llama::DeviceKind) -> &'static str {
    match kind {
        llama::DeviceKind::Cpu => "cpu",
        llama::DeviceKind::Gpu => "gpu",
        llama::DeviceKind::Accelerator => "accelerator",
    }
}
