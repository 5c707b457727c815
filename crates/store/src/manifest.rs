//! What a reference stands for: files by digest, and where they came from.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    io::Read,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, FileName, Result, files::At};

/// The only layout of manifests so far. A store may have been written by a later version of us.
const SCHEMA: u32 = 1;

/// The largest manifest read, in bytes: a thousand files with long names need a tenth of it.
const MAX_SIZE: u64 = 4 << 20;

/// The most files a model may have.
const MAX_FILES: usize = 4096;

/// One model in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    schema: u32,
    /// What it is asked for by.
    pub reference: String,
    /// Where it came from.
    pub source: Source,
    /// Its files.
    pub files: Vec<ModelFile>,
    /// SPDX name of the licence, where known.
    pub licence: Option<String>,
    /// When it came into the store, in seconds since 1970.
    pub created: u64,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its name inside the model.
    pub name: FileName,
    /// What is in it.
    pub sha256: Digest,
    /// How large it is, in bytes.
    pub size: u64,
}

/// Where a model came from. Never holds credentials or the address of a private index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A Python package.
    Pypi {
        /// The package, normalised.
        package: String,
        /// Its version.
        version: String,
        /// The archive the files were taken from.
        archive: String,
        /// The archive's digest.
        sha256: Digest,
    },
}

impl fmt::Display for Source {
    /// As a reference to all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pypi { package, version, .. } => write!(f, "pypi:{package}=={version}"),
        }
    }
}

impl Manifest {
    /// A manifest made now.
    pub fn new(
        reference: impl Into<String>,
        source: Source,
        files: Vec<ModelFile>,
        licence: Option<String>,
    ) -> Result<Self> {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let manifest = Self { schema: SCHEMA, reference: reference.into(), source, files, licence, created };
        manifest.check()?;
        Ok(manifest)
    }

    /// The sum of its files' sizes, in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut text = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut text)).at("read", path)?;
        let corrupt = |reason| Error::CorruptManifest { path: path.to_owned(), reason };
        if text.len() as u64 > MAX_SIZE {
            return Err(corrupt(format!("it is larger than {MAX_SIZE} bytes")));
        }
        Self::from_json(&text).map_err(corrupt)
    }

    /// The error is a reason.
    fn from_json(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if manifest.schema != SCHEMA {
            return Err(format!("its schema is {}, expected {SCHEMA}: a later version wrote it", manifest.schema));
        }
        manifest.check().map_err(|error| error.to_string())?;
        Ok(manifest)
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing here that JSON cannot say.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Names the folder of links: the same files under the same names share one, whatever they were asked for by.
    pub(crate) fn id(&self) -> Digest {
        let mut lines: Vec<_> = self.files.iter().map(|file| format!("{} {}\n", file.sha256, file.name)).collect();
        lines.sort();
        Digest::of(lines.concat().as_bytes())
    }

    /// No two files may want the same place, even where the file system ignores case.
    fn check(&self) -> Result<()> {
        let invalid = |reason: String| Error::InvalidReference { reference: self.reference.clone(), reason };
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(invalid(format!("it has {} files, expected 1 to {MAX_FILES}", self.files.len())));
        }
        let mut files = HashSet::new();
        let mut folders = HashSet::new();
        for file in &self.files {
            let name = file.name.as_str().to_lowercase();
            folders.extend(name.match_indices('/').map(|(at, _)| name[..at].to_owned()));
            if !files.insert(name) {
                return Err(invalid(format!("it has the file {} twice", file.name)));
            }
        }
        match files.intersection(&folders).next() {
            Some(name) => Err(invalid(format!("{name} is both a file and a folder"))),
            None => Ok(()),
        }
    }
}
