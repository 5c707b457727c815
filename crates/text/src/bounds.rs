//! How much text a template may make.

use minijinja::{Error, ErrorKind};

/// Bytes of a rendered prompt, and of any text made on the way by functions of ours.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;

/// A function of ours was asked for more than [`MAX_OUTPUT`].
#[derive(Debug, thiserror::Error)]
#[error("more than 16 MiB of text")]
pub(crate) struct TooLong;

impl From<TooLong> for Error {
    fn from(error: TooLong) -> Self {
        Self::new(ErrorKind::InvalidOperation, error.to_string()).with_source(error)
    }
}

/// A text, unless it is longer than a template's may be.
pub(crate) fn bounded(text: String) -> Result<String, Error> {
    if text.len() > MAX_OUTPUT { Err(TooLong.into()) } else { Ok(text) }
}
