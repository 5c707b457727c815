//! Every error of the Rust API.

use trillm_core::{Class, Coded};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, by the part that says so. The stable name of each is [`Coded::code`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request, or an engine.
    #[error(transparent)]
    Core(#[from] trillm_core::Error),
    /// A file.
    #[error(transparent)]
    Format(#[from] trillm_formats::Error),
    /// A chat template.
    #[error(transparent)]
    Text(#[from] trillm_text::Error),
    /// A `tokenizer.json`.
    #[error(transparent)]
    Tokenizer(#[from] trillm_tokenizer::Error),
    /// No engine of this build takes the format.
    #[error("no engine for {format} files: this build has {present}")]
    NoEngine {
        /// The file's format.
        format: &'static str,
        /// The engines there are.
        present: String,
    },
    /// The engine asked for does not take the format.
    #[error("the {engine} engine does not run {format} files")]
    WrongEngine {
        /// The engine asked for.
        engine: &'static str,
        /// The file's format.
        format: &'static str,
    },
    /// There is no such engine.
    #[error("there is no engine called {name:?}: this build has {present}")]
    UnknownEngine {
        /// The name given.
        name: String,
        /// The engines there are.
        present: String,
    },
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Core(error) => error.kind(),
            Self::Format(error) => error.kind(),
            Self::Text(error) => error.kind(),
            Self::Tokenizer(error) => error.kind(),
            Self::NoEngine { .. } => (Class::Unsupported, "no_engine"),
            Self::WrongEngine { .. } => (Class::Unsupported, "wrong_engine"),
            Self::UnknownEngine { .. } => (Class::InvalidRequest, "unknown_engine"),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Core(error) => error.hint(),
            Self::Format(error) => error.hint(),
            Self::Text(error) => error.hint(),
            Self::Tokenizer(error) => error.hint(),
            Self::WrongEngine { .. } | Self::UnknownEngine { .. } => {
                Some("leave the engine out to have it chosen".into())
            }
            Self::NoEngine { .. } => None,
        }
    }
}
