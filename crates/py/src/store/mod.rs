//! The store for Python: one call each, files and hashes without the GIL.

mod choice;
mod download;
mod facts;
mod fetch;
mod manifest;
mod reference;

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use trillm_store as store;

use self::download::expected;
pub(crate) use self::fetch::Report;
use self::fetch::{Hub, Raised, watched};
pub(crate) use self::{
    choice::{Choice, ModuleList, choose, file_name_fault, is_file_name, is_model_name, needed, smaller},
    download::{Claim, Lease, Partial, SpanWriter, Staging},
    facts::{catalogue, known},
    manifest::{Collected, Damage, Manifest},
    reference::{HuggingFace, Ollama, Pypi, Reference, Url},
};
use crate::{
    enter::{enter, outside},
    errors::invalid,
    watch::Watch,
};

/// A folder of models: content-addressed, verified, atomic. Without a path it is the user's own.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Store(store::Store);

impl Store {
    pub(crate) fn inner(&self) -> &store::Store {
        &self.0
    }
}

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

    /// A new file of this name, of unknown size, on its way into the store.
    fn stage(&self, py: Python<'_>, name: &str) -> PyResult<Staging> {
        enter(py, || self.0.stage(name.parse()?)).map(Staging::new)
    }

    /// A file of known size on its way into the store; goes on with what an earlier attempt of this key left.
    #[pyo3(signature = (key, size, *, sha256=None, git=None))]
    fn partial(
        &self,
        py: Python<'_>,
        key: &str,
        size: u64,
        sha256: Option<&str>,
        git: Option<&str>,
    ) -> PyResult<Partial> {
        enter(py, || self.0.partial(key, size, expected(sha256, git)?)).map(Partial::from)
    }

    /// Makes a file of this machine a blob, without a copy where that can be done; returns sha256, size and how;
    /// `None` if the content was there.
    #[pyo3(signature = (path, link="auto", *, sha256=None, git=None))]
    fn import_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        link: &str,
        sha256: Option<&str>,
        git: Option<&str>,
    ) -> PyResult<(String, u64, Option<&'static str>)> {
        let found = LINKS.iter().find(|(name, _)| *name == link);
        let how = found.map(|(_, link)| *link).ok_or_else(|| {
            let names: Vec<_> = LINKS.iter().map(|(name, _)| *name).collect();
            invalid("link", &format!("{link:?}"), &format!("one of {}", names.join(", ")))
        })?;
        let import = || {
            let (blob, how) = self.0.import(&path, how, expected(sha256, git)?)?;
            let name = how.and_then(|how| LINKS.iter().find(|(_, link)| *link == how)).map(|(name, _)| *name);
            Ok::<_, store::Error>((blob.sha256.to_string(), blob.size, name))
        };
        enter(py, import)
    }

    /// Whether the store has this content, whole.
    fn has(&self, py: Python<'_>, sha256: &str, size: u64) -> PyResult<bool> {
        enter(py, || self.0.has(sha256.parse()?, size))
    }

    /// Makes a model visible, and unless told otherwise puts it in use; its files must have been committed. `model` is
    /// JSON.
    #[pyo3(signature = (model, *, in_use=true))]
    fn put(&self, py: Python<'_>, model: &str, in_use: bool) -> PyResult<Manifest> {
        let put = || {
            let model = store::Model::from_json(model)?;
            Manifest::new(&self.0, if in_use { self.0.put(model) } else { self.0.keep(model) }?)
        };
        enter(py, put)
    }

    /// The generation in use, or the one of this number or id.
    #[pyo3(signature = (reference, generation=None))]
    fn get(&self, py: Python<'_>, reference: &str, generation: Option<&str>) -> PyResult<Manifest> {
        enter(py, || Manifest::new(&self.0, self.0.find(reference, generation)?))
    }

    /// The same, kept from being collected until the lease is released, and the lease; `None` in its place in a store
    /// that cannot be written to, and `None` for both if it is not there.
    #[pyo3(signature = (reference, generation=None))]
    fn hold(
        &self,
        py: Python<'_>,
        reference: &str,
        generation: Option<&str>,
    ) -> PyResult<Option<(Manifest, Option<Lease>)>> {
        let hold = || {
            let Some(held) = self.0.hold(reference, generation)? else { return Ok(None) };
            Ok::<_, store::Error>(Some((Manifest::new(&self.0, held.manifest)?, held.lease.map(Lease::from))))
        };
        enter(py, hold)
    }

    /// The model that `wanted` stands for, held; what is not there is fetched by `board`, a function that is given a
    /// reporter and returns a seat of `hub/_flight.py`. Without one nothing is fetched.
    #[pyo3(signature = (wanted, board=None, progress=None))]
    fn present(
        &self,
        py: Python<'_>,
        wanted: &Reference,
        board: Option<Py<PyAny>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Manifest, Option<Lease>)> {
        let callback = Arc::new(Watch::new(progress));
        let watch = watched(callback.clone());
        let present = || {
            let held = match board {
                Some(board) => self.0.present(wanted.wanted(), &Hub(board), &watch)?,
                None => self.0.present(wanted.wanted(), &store::Offline, &watch)?,
            };
            Ok::<_, Raised>((Manifest::new(&self.0, held.manifest)?, held.lease.map(Lease::from)))
        };
        outside(py, present)?.map_err(|Raised(error)| callback.raised().unwrap_or(error))
    }

    /// All generations, the newest first, and the id of the one in use.
    fn history(&self, py: Python<'_>, reference: &str) -> PyResult<(Vec<Manifest>, String)> {
        let history = || {
            let (generations, current) = self.0.history(reference)?;
            let generations = generations.into_iter().map(|manifest| Manifest::new(&self.0, manifest));
            Ok::<_, store::Error>((generations.collect::<store::Result<_>>()?, current))
        };
        enter(py, history)
    }

    /// Puts the generation before the one in use in use, or the one of this number or id.
    #[pyo3(signature = (reference, to=None))]
    fn rollback(&self, py: Python<'_>, reference: &str, to: Option<&str>) -> PyResult<Manifest> {
        enter(py, || Manifest::new(&self.0, self.0.rollback(reference, to)?))
    }

    /// The generation in use of every model, and a line about each manifest that cannot be read.
    fn list(&self, py: Python<'_>) -> PyResult<(Vec<Manifest>, Vec<String>)> {
        let list = || {
            let listing = self.0.list()?;
            let problems = listing.problems.iter().map(ToString::to_string).collect();
            let models = listing.models.into_iter().map(|model| Manifest::new(&self.0, model));
            models.collect::<store::Result<_>>().map(|models| (models, problems))
        };
        enter(py, list)
    }

    /// Removes a model and what only it used; returns how many bytes that freed.
    fn remove(&self, py: Python<'_>, reference: &str) -> PyResult<u64> {
        enter(py, || self.0.remove(reference))
    }

    /// Forgets all but the newest `keep` generations of each model, and removes what nothing refers to, and what
    /// conversions left that were killed.
    #[pyo3(signature = (keep=None))]
    fn collect(&self, py: Python<'_>, keep: Option<usize>) -> PyResult<Collected> {
        enter(py, || Ok::<_, store::Error>(Collected::new(self.0.collect(keep)?, trillm_convert::collect(&self.0))))
    }

    /// Reads every byte of a model again, and says what is not as it was.
    fn verify(&self, py: Python<'_>, reference: &str) -> PyResult<Vec<Damage>> {
        Ok(enter(py, || self.0.verify(reference))?.into_iter().map(Damage::from).collect())
    }

    /// A download that has all of a damaged file but what is damaged. Committing it mends the file.
    fn repair(&self, py: Python<'_>, damage: &Damage) -> PyResult<Partial> {
        enter(py, || self.0.repair(damage.inner())).map(Partial::from)
    }

    /// Keeps these blobs from being collected, whether they are there yet or not.
    #[expect(clippy::needless_pass_by_value, reason = "Python's strings are copied here")]
    fn lease(&self, py: Python<'_>, sha256: Vec<String>) -> PyResult<Lease> {
        let lease = || self.0.lease(&sha256.iter().map(|text| text.parse()).collect::<store::Result<Vec<_>>>()?);
        enter(py, lease).map(Lease::from)
    }

    /// Tries to become the one process that fetches this; `None` while another one does.
    fn claim(&self, py: Python<'_>, key: &str) -> PyResult<Option<Claim>> {
        Ok(outside(py, || self.0.claim(key))?.map(Claim::from))
    }

    fn __repr__(&self) -> String {
        format!("Store({:?})", self.0.root().display().to_string())
    }
}

/// What Python calls the ways in.
const LINKS: [(&str, store::Link); 5] = [
    ("auto", store::Link::Auto),
    ("reflink", store::Link::Reflink),
    ("hardlink", store::Link::Hardlink),
    ("reference", store::Link::Reference),
    ("copy", store::Link::Copy),
];
