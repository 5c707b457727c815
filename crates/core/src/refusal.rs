//! Why a file was refused, in the words of whoever read it.

use crate::{Class, Coded};

/// What a reader of files says of one. Engines pass it on as it is: the file is what is wrong, whichever engine was to
/// load it. It is a copy, since this crate knows no reader's errors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The reader's class and code.
    pub kind: (Class, &'static str),
    /// The reader's message.
    pub message: String,
    /// The reader's advice.
    pub hint: Option<String>,
}

impl<E: Coded> From<&E> for Refusal {
    fn from(error: &E) -> Self {
        Self { kind: error.kind(), message: error.to_string(), hint: error.hint() }
    }
}
