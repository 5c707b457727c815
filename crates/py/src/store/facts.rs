//! What models are on this machine, as dictionaries for programs.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm_store as store;

use super::{Manifest, Store};
use crate::defaults::Defaults;
use crate::enter::{enter, outside};
use crate::errors::raise;
use crate::info::ModelInfo;

/// All models on this machine, those of the store first, and a line about each that cannot be read.
#[pyfunction]
#[pyo3(signature = (store, models_directory=None))]
pub(crate) fn catalogue<'py>(
    py: Python<'py>,
    store: &Store,
    models_directory: Option<PathBuf>,
) -> PyResult<(Bound<'py, PyList>, Vec<String>)> {
    let found = enter(py, || store::Catalogue::read(store.inner(), models_directory))?;
    let models = PyList::empty(py);
    for known in &found.stored {
        models.append(facts(py, known)?)?;
    }
    for known in &found.own {
        let facts = facts(py, known)?;
        facts.set_item("reference", known.path.as_os_str())?;
        models.append(facts)?;
    }
    Ok((models, found.problems))
}

/// What is known of one model, and why its files cannot be read, if so.
#[pyfunction]
#[pyo3(signature = (path, manifest=None))]
pub(crate) fn known<'py>(
    py: Python<'py>,
    path: PathBuf,
    manifest: Option<&Manifest>,
) -> PyResult<(Bound<'py, PyDict>, Option<PyErr>)> {
    let known = outside(py, || store::Known::new(path, manifest.map(|manifest| manifest.inner().clone())))?;
    let facts = facts(py, &known)?;
    Ok((facts, known.info.err().map(raise)))
}

fn facts<'py>(py: Python<'py>, known: &store::Known) -> PyResult<Bound<'py, PyDict>> {
    let (info, manifest) = (known.info.as_ref().ok(), known.manifest.as_ref());
    let model = manifest.map(|manifest| &manifest.model);
    let facts = PyDict::new(py);
    facts.set_item("reference", model.map(|model| &model.reference))?;
    facts.set_item("file", known.file())?;
    facts.set_item("path", known.path.as_os_str())?;
    facts.set_item("size", known.size())?;
    facts.set_item("format", info.map(|info| info.format))?;
    facts.set_item("digest", model.map(|model| format!("sha256:{}", model.id())))?;
    facts.set_item("source", model.map(|model| model.source.to_string()))?;
    facts.set_item("license", known.licence())?;
    facts.set_item("parameters", info.map(|info| info.parameters))?;
    facts.set_item("quantization", info.map(|info| &info.quantization))?;
    facts.set_item("context", info.map(|info| info.context_trained))?;
    facts.set_item("capabilities", info.map_or_else(Vec::new, trillm::ModelInfo::capabilities))?;
    facts.set_item("generation", manifest.map(|manifest| manifest.generation))?;
    facts.set_item("created", manifest.map(|manifest| manifest.created))?;
    let files = PyList::empty(py);
    for file in model.iter().flat_map(|model| &model.files) {
        let entry = PyDict::new(py);
        entry.set_item("name", file.name.as_str())?;
        entry.set_item("sha256", file.sha256.to_string())?;
        entry.set_item("size", file.size)?;
        files.append(entry)?;
    }
    facts.set_item("files", files)?;
    let published = manifest.map(store::Manifest::published).unwrap_or_default();
    facts.set_item("chat", Defaults::from(&published).values(py)?)?;
    facts.set_item("info", info.map(|info| ModelInfo::from(info).to_dict(py)).transpose()?)?;
    Ok(facts)
}
