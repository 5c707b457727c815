//! What can be wrong with a row of scores.

use trillm_core::{Class, Coded};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A row of scores that no token can be chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The row is shorter than the vocabulary: a bug of ours.
    #[error("{found} scores for a vocabulary of {expected}")]
    Row {
        /// Scores given.
        found: usize,
        /// Tokens in the vocabulary.
        expected: usize,
    },
    /// A score is not a number.
    #[error("the model's score for token {token} is not a number")]
    NotANumber {
        /// The first such token.
        token: u32,
    },
    /// There is no room for a copy of the scores.
    #[error("no memory for the scores of a step: {bytes} bytes were asked for")]
    Memory {
        /// Bytes that were asked for.
        bytes: u64,
    },
    /// Every score is minus infinity.
    #[error("every token is forbidden: all scores are minus infinity")]
    NothingAllowed,
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Row { .. } => (Class::Engine, "invalid_row"),
            Self::NotANumber { .. } => (Class::Engine, "numerical_error"),
            Self::Memory { .. } => (Class::OutOfMemory, "out_of_memory"),
            Self::NothingAllowed => (Class::InvalidRequest, "nothing_allowed"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Row { .. } => "this is a bug in trillm: please report it".into(),
            Self::NotANumber { .. } => "the weights may be damaged: verify the model's files".into(),
            Self::Memory { .. } => "take a smaller model, or give the process more".into(),
            Self::NothingAllowed => "allow at least one token in logit_bias".into(),
        })
    }
}
