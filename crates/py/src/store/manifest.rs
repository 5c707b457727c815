//! What the store has.

use std::path::PathBuf;

use pyo3::prelude::*;
use trillm_store as store;

use crate::defaults::Defaults;

/// One generation of a model in the store.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Manifest {
    /// What it is asked for by.
    reference: String,
    /// Its number among the generations of its reference, from 1.
    generation: u32,
    /// The sha256 that names the generation.
    id: String,
    /// Where it can be opened: a file, or a folder.
    path: PathBuf,
    /// Its files, as (name, sha256, size).
    files: Vec<(String, String, u64)>,
    /// Its size in bytes.
    size: u64,
    /// Where it came from, as a reference to exactly that.
    source: String,
    /// SPDX name of the licence, where known.
    licence: Option<String>,
    /// When it came into the store, in seconds since 1970.
    created: u64,
    /// How it is used best, as its alias or its source says: each value with who gave it.
    published: Defaults,
    /// All of what was put, as JSON.
    model: String,
}

impl Manifest {
    pub(super) fn new(store: &store::Store, manifest: store::Manifest) -> store::Result<Self> {
        let file = |file: &store::ModelFile| (file.name.to_string(), file.sha256.to_string(), file.size);
        Ok(Self {
            generation: manifest.generation,
            id: manifest.model.id().to_string(),
            path: store.path_of(&manifest)?,
            files: manifest.model.files.iter().map(file).collect(),
            size: manifest.model.size(),
            source: manifest.model.source.to_string(),
            published: Defaults::from(&manifest.published()),
            model: manifest.model.to_json(),
            created: manifest.created,
            reference: manifest.model.reference,
            licence: manifest.model.licence,
        })
    }
}

#[pymethods]
impl Manifest {
    fn __repr__(&self) -> String {
        format!("Manifest({:?}, generation {}, {} bytes)", self.reference, self.generation, self.size)
    }
}

/// A file that is not what it was.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Damage(store::Damage);

impl Damage {
    pub(super) fn inner(&self) -> &store::Damage {
        &self.0
    }
}

impl From<store::Damage> for Damage {
    fn from(damage: store::Damage) -> Self {
        Self(damage)
    }
}

#[pymethods]
impl Damage {
    /// The file's name inside the model.
    #[getter]
    fn file(&self) -> &str {
        self.0.file.as_str()
    }

    /// Which bytes are wrong or missing, as (first, end); all of them where that is not known.
    #[getter]
    fn ranges(&self) -> Vec<(u64, u64)> {
        self.0.ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    /// What was found.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What it should be.
    #[getter]
    fn sha256(&self) -> String {
        self.0.sha256.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Damage({:?}, {:?})", self.0.file.as_str(), self.0.reason)
    }
}

/// What a collection took away.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Collected {
    /// Generations that were forgotten, as (reference, id).
    generations: Vec<(String, String)>,
    /// Blobs that were removed.
    blobs: u64,
    /// Unfinished downloads that were removed.
    partials: u64,
    /// What killed conversions had left, and was removed.
    conversions: u64,
    /// How many bytes that freed.
    freed: u64,
    /// Bytes that stay only because a process uses them.
    leased: u64,
}

impl Collected {
    pub(super) fn new(collected: store::Collected, left: trillm_convert::Left) -> Self {
        let store::Collected { generations, blobs, partials, freed, leased } = collected;
        Self { generations, blobs, partials, conversions: left.count, freed: freed + left.bytes, leased }
    }
}
