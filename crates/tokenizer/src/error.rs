//! Why a tokenizer cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use trillm_core::{Class, Coded, files, memory};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A tokenizer that is not there, is not sound, or asks for what is not supported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no `tokenizer.json`.
    #[error("{} is not there{}", .path.display(), beside(*.found))]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// A tokenizer in another format that lies in the folder.
        found: Option<&'static str>,
    },
    /// A folder, a device or a pipe where a file is needed.
    #[error("{} is not a regular file", .path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// There is no memory for its tables.
    #[error("{0}")]
    Memory(#[source] trillm_core::Error),
    /// A GGUF file that is not sound.
    #[error(transparent)]
    Gguf(#[from] trillm_formats::Error),
    /// An error in one file.
    #[error("{}: {error}", .path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        #[source]
        error: Box<Error>,
    },
    /// More of something than any real tokenizer has.
    #[error("{what}: {found}, expected at most {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
    /// What contradicts the format, or itself.
    #[error("{what}: {reason}")]
    Malformed {
        /// The part of the file.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A part that the format has and this crate has not.
    #[error("{what} {found:?} is not supported, expected {expected}")]
    Unsupported {
        /// The part of the file.
        what: &'static str,
        /// What it asks for.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

fn beside(found: Option<&str>) -> String {
    found.map_or_else(String::new, |found| format!("; the folder has {found}"))
}

impl Error {
    /// A part of a regular expression that has no other words.
    pub(crate) fn expression(part: &str) -> Self {
        Self::Unsupported {
            what: "part of a regular expression",
            found: part.into(),
            expected: "an expression without it",
        }
    }

    pub(crate) fn of(self, path: &Path) -> Self {
        Self::In { path: path.to_owned(), error: Box::new(self) }
    }

    /// Checks that there is memory for the tables that are made of `bytes` of a file: many small pieces. Measured, they
    /// take four times as much of a `tokenizer.json` and up to ten times of a GGUF file's vocabulary, for a moment.
    pub(crate) fn check_memory(bytes: usize) -> Result<()> {
        const TIMES: usize = 12;
        memory::check::<u8>(bytes.saturating_mul(TIMES), "the tables of a tokenizer").map_err(Self::Memory)
    }

    pub(crate) fn malformed(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed { what, reason: reason.into() }
    }
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Read { source, .. } if files::are_too_many(source) => files::KIND,
            Self::Read { .. } => (Class::Store, "read_failed"),
            Self::Missing { .. } => (Class::NotFound, "missing_tokenizer"),
            Self::NotAFile { .. } => (Class::NotFound, "not_a_file"),
            Self::Memory(error) => error.kind(),
            Self::Gguf(error) => error.kind(),
            Self::In { error, .. } => error.kind(),
            Self::Limit { .. } => (Class::Format, "over_limit"),
            Self::Malformed { .. } => (Class::Format, "malformed"),
            Self::Unsupported { .. } => (Class::Unsupported, "unsupported"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { source, .. } if files::are_too_many(source) => files::HINT.into(),
            Self::Memory(error) => return error.hint(),
            Self::Gguf(error) => return error.hint(),
            Self::In { error, .. } => return error.hint(),
            Self::Missing { found: Some(_), .. } => {
                "convert it: load it with transformers' AutoTokenizer and save_pretrained() it, which writes tokenizer.json"
                    .into()
            }
            Self::Missing { .. } => {
                "fetch tokenizer.json along with the weights; a graph (ONNX) can be loaded with one from elsewhere (`tokenizer`)"
                    .into()
            }
            Self::Limit { .. } | Self::Malformed { .. } => {
                "the file is damaged or was not written by a proper tool: fetch it again".into()
            }
            _ => return None,
        })
    }
}
