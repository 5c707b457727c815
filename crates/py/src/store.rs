//! The store for Python: one call each, files and hashes without the GIL.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use pyo3::{prelude::*, types::PyAny};
use trillm_store as store;

use crate::{
    enter::{enter, outside},
    errors::raise,
};

/// A folder of models: content-addressed, verified, atomic. Without a path it is the user's own.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Store(store::Store);

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (root=None))]
    fn new(py: Python<'_>, root: Option<PathBuf>) -> PyResult<Self> {
        enter(py, || root.map_or_else(store::Store::default_root, Ok).and_then(store::Store::open)).map(Self)
    }

    /// The folder.
    #[getter]
    fn root(&self) -> PathBuf {
        self.0.root().to_owned()
    }

    /// The folder for what is still being written; swept of what is a day old.
    #[getter]
    fn staging(&self) -> PathBuf {
        self.0.staging().to_owned()
    }

    /// A new file of this name, on its way into the store.
    fn stage(&self, py: Python<'_>, name: &str) -> PyResult<Staging> {
        let staging = enter(py, || self.0.stage(name.parse()?))?;
        Ok(Staging(Mutex::new(Some(staging))))
    }

    /// Makes a model visible; its files, as (name, sha256, size), must have been committed.
    #[pyo3(signature = (reference, *, package, version, archive, archive_sha256, files, licence=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn put(
        &self,
        py: Python<'_>,
        reference: String,
        package: String,
        version: String,
        archive: String,
        archive_sha256: &str,
        files: Vec<(String, String, u64)>,
        licence: Option<String>,
    ) -> PyResult<Manifest> {
        let put = || {
            let source = store::Source::Pypi { package, version, archive, sha256: archive_sha256.parse()? };
            let file = |(name, sha256, size): (String, String, u64)| {
                Ok(store::ModelFile { name: name.parse()?, sha256: sha256.parse()?, size })
            };
            let files = files.into_iter().map(file).collect::<store::Result<_>>()?;
            let manifest = store::Manifest::new(reference, source, files, licence)?;
            self.0.put(&manifest)?;
            Manifest::new(&self.0, &manifest)
        };
        enter(py, put)
    }

    /// The model asked for by this reference.
    fn get(&self, py: Python<'_>, reference: &str) -> PyResult<Manifest> {
        enter(py, || Manifest::new(&self.0, &self.0.get(reference)?))
    }

    /// All models, and a line about each manifest that cannot be read.
    fn list(&self, py: Python<'_>) -> PyResult<(Vec<Manifest>, Vec<String>)> {
        let list = || {
            let listing = self.0.list()?;
            let models = listing.models.iter().map(|model| Manifest::new(&self.0, model));
            let problems = listing.problems.iter().map(ToString::to_string).collect();
            models.collect::<store::Result<_>>().map(|models| (models, problems))
        };
        enter(py, list)
    }

    /// Removes a model and what only it used; returns how many bytes that freed.
    fn remove(&self, py: Python<'_>, reference: &str) -> PyResult<u64> {
        enter(py, || self.0.remove(reference))
    }

    /// Reads every byte of a model again and compares digests.
    fn verify(&self, py: Python<'_>, reference: &str) -> PyResult<()> {
        enter(py, || self.0.verify(reference))
    }

    /// Tries to become the one process that fetches this model; `None` while another one is.
    fn try_lock(&self, py: Python<'_>, reference: &str) -> Option<Lock> {
        outside(py, || self.0.try_lock(reference)).map(|lock| Lock(Mutex::new(Some(lock))))
    }

    fn __repr__(&self) -> String {
        format!("Store({:?})", self.0.root().display().to_string())
    }
}

/// A file that nobody sees before it is committed. A context manager: leaving it throws away what was not.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Staging(Mutex<Option<store::Staging>>);

#[pymethods]
impl Staging {
    /// Appends to the file.
    fn write(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let write = || held(&self.0).as_mut().map(|staging| staging.write(data)).transpose();
        enter(py, write)?.ok_or_else(used)
    }

    /// Makes the file a blob if its sha256 is the expected one; returns its sha256 and size.
    #[pyo3(signature = (expected=None))]
    fn commit(&self, py: Python<'_>, expected: Option<&str>) -> PyResult<(String, u64)> {
        let expected = expected.map(str::parse).transpose().map_err(raise::<store::Error>)?;
        let staging = held(&self.0).take().ok_or_else(used)?;
        let blob = enter(py, || staging.commit(expected))?;
        Ok((blob.sha256.to_string(), blob.size))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyAny>) {
        outside(py, || drop(held(&self.0).take()));
    }
}

/// Held while this process fetches a model. A context manager.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Lock(Mutex<Option<store::Lock>>);

#[pymethods]
impl Lock {
    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyAny>) {
        drop(held(&self.0).take());
    }
}

/// One model in the store.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Manifest {
    /// What it is asked for by.
    reference: String,
    /// Where it can be opened: a file, or a folder if it has several.
    path: PathBuf,
    /// Its files, as (name, sha256, size).
    files: Vec<(String, String, u64)>,
    /// Its size in bytes.
    size: u64,
    /// Where it came from.
    source: String,
    /// SPDX name of the licence, where known.
    licence: Option<String>,
    /// When it came into the store, in seconds since 1970.
    created: u64,
}

impl Manifest {
    fn new(store: &store::Store, manifest: &store::Manifest) -> store::Result<Self> {
        let file = |file: &store::ModelFile| (file.name.to_string(), file.sha256.to_string(), file.size);
        Ok(Self {
            reference: manifest.reference.clone(),
            path: store.path_of(manifest)?,
            files: manifest.files.iter().map(file).collect(),
            size: manifest.size(),
            source: manifest.source.to_string(),
            licence: manifest.licence.clone(),
            created: manifest.created,
        })
    }
}

#[pymethods]
impl Manifest {
    fn __repr__(&self) -> String {
        format!("Manifest({:?}, {} files, {} bytes)", self.reference, self.files.len(), self.size)
    }
}

/// What a model is asked for by, parsed.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Reference {
    /// "alias", "path" or "pypi".
    kind: &'static str,
    /// Its one way of writing, which the store knows it by.
    text: String,
    /// Of a path: the file or folder, which is there.
    local: Option<PathBuf>,
    /// Of a package, or an alias for one: its name.
    package: Option<String>,
    /// Its version; the newest if `None`.
    version: Option<String>,
    /// The file in it, or the folder if it ends with "/"; the only model file if `None`.
    file: Option<String>,
    /// Of an alias: the files it must yield, as (name, sha256, size).
    pinned: Vec<(&'static str, &'static str, u64)>,
    /// Of an alias: SPDX name of the licence.
    licence: Option<&'static str>,
    /// Of an alias for a model that chats: the system message of a chat that has none.
    system: Option<&'static str>,
    /// Likewise: the temperature to chat at.
    temperature: Option<f32>,
    /// Likewise: the probability mass to choose from.
    top_p: Option<f32>,
}

#[pymethods]
impl Reference {
    /// Parses what people type. A path that leads nowhere is an error.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let reference: store::Reference = text.parse().map_err(raise::<store::Error>)?;
        let text = reference.to_string();
        let local = reference.local().map_err(raise)?.map(ToOwned::to_owned);
        let (kind, source, alias) = match reference {
            store::Reference::Alias(alias) => ("alias", Some(alias.source()), Some(alias)),
            store::Reference::Path(_) => ("path", None, None),
            store::Reference::Pypi(pypi) => ("pypi", Some(pypi), None),
        };
        let (package, version, file) =
            source.map_or((None, None, None), |pypi| (Some(pypi.package), pypi.version, pypi.file));
        let pinned = alias.map_or(&[][..], |alias| alias.files);
        let pinned = pinned.iter().map(|file| (file.name, file.sha256, file.size)).collect();
        let chat = alias.and_then(|alias| alias.chat);
        Ok(Self {
            kind,
            text,
            local,
            package,
            version,
            file,
            pinned,
            licence: alias.map(|alias| alias.licence),
            system: chat.map(|chat| chat.system),
            temperature: chat.map(|chat| chat.temperature),
            top_p: chat.map(|chat| chat.top_p),
        })
    }

    fn __repr__(&self) -> String {
        format!("Reference({:?})", self.text)
    }
}

/// A panic elsewhere does not make the file handle inside any worse.
fn held<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn used() -> PyErr {
    pyo3::exceptions::PyValueError::new_err("this file was committed or thrown away already")
}
