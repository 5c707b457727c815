//! What a reference stands for: files by digest, and where they came from.

use std::{collections::HashSet, fmt, fs::File, io::Read, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, FileName, Result, files::At};

/// The layout of manifests. A store may have been written by a later version of us.
const SCHEMA: u32 = 2;

/// The largest manifest read, in bytes: a thousand files with long names need a tenth of it.
const MAX_SIZE: u64 = 4 << 20;

/// The most files a model may have.
const MAX_FILES: usize = 4096;

/// One generation of a model in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    schema: u32,
    /// Its number among the generations of its reference, from 1. Two processes may give one number to two.
    pub generation: u32,
    /// When it came into the store, in seconds since 1970.
    pub created: u64,
    /// What it is.
    pub model: Model,
}

/// A model as its source gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it is asked for by.
    pub reference: String,
    /// Where it came from.
    pub source: Source,
    /// Its files.
    pub files: Vec<ModelFile>,
    /// Which of its files to open; none if it is the folder, or the only file.
    #[serde(default)]
    pub open: Option<FileName>,
    /// SPDX name of the licence, where known.
    #[serde(default)]
    pub licence: Option<String>,
    /// How its publisher says it chats best.
    #[serde(default)]
    pub chat: Option<Chat>,
    /// What whoever uses it should know of how it came: that it may be a part of what its source has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name inside the model.
    pub name: FileName,
    /// What is in it.
    pub sha256: Digest,
    /// How large it is, in bytes.
    pub size: u64,
    /// What its source calls it, where that is not its name.
    #[serde(default)]
    pub origin: Option<String>,
}

/// What a chat starts from unless the user says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// The system message of a chat that has none.
    #[serde(default)]
    pub system: Option<String>,
    /// The temperature.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// The probability mass to choose from.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// How many tokens to choose among.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// The least share of the most probable token's probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// The probability mass of locally typical sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_p: Option<f32>,
    /// What repeated tokens are divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// How many tokens that looks back at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_last_n: Option<u32>,
    /// What a token loses once it was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// What a token loses each time it was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// Texts that end an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
}

/// Where a model came from. Never holds credentials or the address of a private index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
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
    /// A repository on the Hugging Face hub.
    HuggingFace {
        /// `organisation/name`.
        repo: String,
        /// The branch, tag or commit that was asked for.
        revision: String,
        /// The commit that this was.
        commit: String,
    },
    /// A model in a registry that speaks Ollama's protocol.
    Ollama {
        /// The registry's host, and port where it is not the usual one.
        host: String,
        /// `namespace/name`.
        name: String,
        /// The tag that was asked for.
        tag: String,
        /// The digest of the manifest that this was.
        manifest: Digest,
    },
    /// A plain URL.
    Url {
        /// The URL, without a fragment.
        url: String,
    },
    /// A file or folder of this machine.
    Import {
        /// Where it was.
        path: String,
    },
}

impl fmt::Display for Source {
    /// As a reference to exactly what came.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pypi { package, version, .. } => write!(f, "pypi:{package}=={version}"),
            Self::HuggingFace { repo, commit, .. } => write!(f, "hf:{repo}@{commit}"),
            Self::Ollama { host, name, tag, .. } => write!(f, "ollama:{host}/{name}:{tag}"),
            Self::Url { url } => f.write_str(url),
            Self::Import { path } => f.write_str(path),
        }
    }
}

impl Model {
    /// Reads what Python made.
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |error: serde_json::Error| Error::InvalidModel { reason: error.to_string() };
        let model: Self = serde_json::from_str(text).map_err(invalid)?;
        model.check()?;
        Ok(model)
    }

    /// As [`Self::from_json`] reads it.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing here that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The sum of its files' sizes, in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Names the generation, and the folder of links: the digest of its files' digests and names. The same files under
    /// the same names are the same generation, whatever they were asked for by.
    pub fn id(&self) -> Digest {
        let mut lines: Vec<_> = self.files.iter().map(|file| format!("{} {}\n", file.sha256, file.name)).collect();
        lines.sort();
        Digest::of(lines.concat().as_bytes())
    }

    /// No two files may want the same place, even where the file system ignores case.
    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |reason: String| Error::InvalidModel { reason: format!("{}: {reason}", self.reference) };
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
        if let Some(name) = files.intersection(&folders).next() {
            return Err(invalid(format!("{name} is both a file and a folder")));
        }
        // Half of what is read, for the line breaks and the rest of a manifest.
        let length = self.to_json().len() as u64;
        if length > MAX_SIZE / 2 {
            return Err(invalid(format!("its description has {length} bytes, expected at most {}", MAX_SIZE / 2)));
        }
        match &self.open {
            Some(open) if !self.files.iter().any(|file| file.name == *open) => {
                Err(invalid(format!("{open}, which is to be opened, is none of its files")))
            }
            _ => Ok(()),
        }
    }
}

impl Manifest {
    pub(crate) fn new(generation: u32, created: u64, model: Model) -> Self {
        Self { schema: SCHEMA, generation, created, model }
    }

    /// Its place in a history: two processes may give one number to two, and then the later one counts.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        (self.generation, self.created, self.model.id())
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
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if schema != SCHEMA {
            return Err(format!("its schema is {schema}, expected {SCHEMA}: another version wrote it"));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        manifest.model.check().map_err(|error| error.to_string())?;
        Ok(manifest)
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing here that JSON cannot say.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
