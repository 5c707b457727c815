//! What the store has.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use trillm_store as store;

use crate::defaults::Defaults;

/// One generation of a model in the store.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Manifest {
    manifest: store::Manifest,
    path: PathBuf,
}

impl Manifest {
    pub(super) fn new(store: &store::Store, manifest: store::Manifest) -> store::Result<Self> {
        Ok(Self { path: store.path_of(&manifest)?, manifest })
    }

    pub(super) fn inner(&self) -> &store::Manifest {
        &self.manifest
    }
}

#[pymethods]
impl Manifest {
    /// What it is asked for by.
    #[getter]
    fn reference(&self) -> &str {
        &self.manifest.model.reference
    }

    /// Its number among the generations of its reference, from 1.
    #[getter]
    fn generation(&self) -> u32 {
        self.manifest.generation
    }

    /// The sha256 that names the generation.
    #[getter]
    fn id(&self) -> String {
        self.manifest.model.id().to_string()
    }

    /// Where it can be opened: a file, or a folder.
    #[getter]
    fn path(&self) -> &Path {
        &self.path
    }

    /// Its files, as (name, sha256, size).
    #[getter]
    fn files(&self) -> Vec<(&str, String, u64)> {
        let files = self.manifest.model.files.iter();
        files.map(|file| (file.name.as_str(), file.sha256.to_string(), file.size)).collect()
    }

    /// Its size in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.manifest.model.size()
    }

    /// Where it came from, as a reference to exactly that.
    #[getter]
    fn source(&self) -> String {
        self.manifest.model.source.to_string()
    }

    /// SPDX name of the licence, where known.
    #[getter]
    fn licence(&self) -> Option<&str> {
        self.manifest.model.licence.as_deref()
    }

    /// When it came into the store, in seconds since 1970.
    #[getter]
    fn created(&self) -> u64 {
        self.manifest.created
    }

    /// How it is used best, as its alias or its source says: each value with who gave it.
    #[getter]
    fn published(&self) -> Defaults {
        Defaults::from(&self.manifest.published())
    }

    /// What whoever uses it should know of how it came.
    #[getter]
    fn notes(&self) -> &[String] {
        &self.manifest.model.notes
    }

    /// All of what was put, as JSON.
    #[getter]
    fn model(&self) -> String {
        self.manifest.model.to_json()
    }

    fn __repr__(&self) -> String {
        format!("Manifest({:?}, generation {}, {} bytes)", self.reference(), self.generation(), self.size())
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
