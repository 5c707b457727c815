//! What people type for a model, parsed once.

mod alias;
mod aliases_file;
mod file;
mod host;
mod hugging_face;
mod names;
mod ollama;
mod pypi;
mod url;

use std::{
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use trillm_formats::names::ENDINGS;

pub use alias::{ALIASES, Alias, ChatDefaults, PinnedFile};
pub use aliases_file::AliasesFile;
pub use hugging_face::HuggingFace;
pub use names::Names;
pub use ollama::Ollama;
pub use pypi::Pypi;
pub use url::Url;

use crate::{Digest, Error, Result};

/// What a model is asked for by.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// A built-in short name: `smollm2`.
    Alias(&'static Alias),
    /// A file or folder: `./model.gguf`.
    Path(PathBuf),
    /// A repository on the Hugging Face hub: `hf:organisation/name@revision:file`.
    HuggingFace(HuggingFace),
    /// A model in Ollama's registry: `ollama:name:tag`.
    Ollama(Ollama),
    /// A Python package: `pypi:package==version:file`.
    Pypi(Pypi),
    /// A plain URL: `https://host/model.gguf#sha256=…`.
    Url(Url),
    /// A name that the user gave to what was imported: `local:name`.
    Local(String),
}

/// What is between a reference and the generation that is meant.
const PIN: &str = "@sha256:";

/// A reference, and the generation of it that is meant: `smollm2@sha256:…`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// What is asked for.
    pub reference: Reference,
    /// The id of the generation; the one in use if `None`.
    pub generation: Option<Digest>,
}

impl Reference {
    /// The file or folder that a path leads to; `None` for what is looked up in the store.
    pub fn local(&self) -> Result<Option<&Path>> {
        let Self::Path(path) = self else { return Ok(None) };
        match path.metadata().map_err(|error| (error.kind(), error)) {
            Ok(_) => Ok(Some(path)),
            Err((ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename, _)) => {
                let on_hub = on_hub(path).map(|reference| reference.to_string());
                Err(Error::NoSuchPath { path: path.clone(), on_hub })
            }
            // A link to itself, a folder that may not be looked into, a disk that fails: something may be there.
            Err((_, source)) => Err(Error::Io { doing: "read", path: path.clone(), source }),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => f.write_str(alias.name),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::HuggingFace(repository) => repository.fmt(f),
            Self::Ollama(model) => model.fmt(f),
            Self::Pypi(package) => package.fmt(f),
            Self::Url(url) => url.fmt(f),
            Self::Local(name) => write!(f, "local:{name}"),
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)?;
        self.generation.map_or(Ok(()), |generation| write!(f, "{PIN}{generation}"))
    }
}

/// The reference for a path that could be meant as a repository on the Hugging Face hub: `org/name`, as other programs
/// take it, or its address. A file with weights is none.
fn on_hub(path: &Path) -> Option<HuggingFace> {
    const HOSTS: [&str; 3] = ["huggingface.co/", "www.huggingface.co/", "hf.co/"];
    let text = path.to_str()?;
    let name = HOSTS.iter().find_map(|host| text.strip_prefix(host)).unwrap_or(text);
    let is_file = !name.contains([':', '@']) && ENDINGS.iter().any(|ending| name.ends_with(ending));
    if is_file || name.matches('/').count() != 1 {
        return None;
    }
    HuggingFace::parse(name, name).ok()
}
