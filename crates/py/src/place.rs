//! Which argument a request is: one alone, or one of a list.

use std::fmt;

use pyo3::prelude::*;
use trillm::{Coded, CoreError, Error, TextError};

use crate::errors::{exception, raise};

/// A request's argument, as errors call it: `prompt`, `messages[2]`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) argument: &'static str,
    pub(crate) index: Option<usize>,
}

impl Place {
    /// The Python exception for an error of its request. One of a list says which it is, if that is what failed.
    pub(crate) fn raise(self, error: Error) -> PyErr {
        if self.index.is_none() || !is_of_argument(&error) {
            return raise(error);
        }
        let said = error.to_string();
        let message = match said.strip_prefix(self.argument) {
            Some(rest) => format!("{self}{rest}"),
            None => format!("{self}: {said}"),
        };
        exception(error.kind(), &message, error.hint())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.argument)?;
        self.index.map_or(Ok(()), |index| write!(out, "[{index}]"))
    }
}

/// Whether another prompt or chat would not have failed so: not the template, a parameter, the queue or the model.
fn is_of_argument(error: &Error) -> bool {
    match error {
        Error::Core(CoreError::ContextOverflow { .. } | CoreError::NoEmbedding { .. }) => true,
        Error::Core(CoreError::InvalidParameter { name, .. }) => matches!(*name, "prompt" | "messages"),
        Error::Text(error) => matches!(
            error,
            TextError::Refused { .. }
                | TextError::Failed { .. }
                | TextError::Exceeded { .. }
                | TextError::ToolsNotShown
                | TextError::PartNotShown { .. }
                | TextError::InvalidMessage { .. }
        ),
        _ => false,
    }
}
