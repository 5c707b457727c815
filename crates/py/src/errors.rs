//! Native errors as the classes of `trillm.errors`.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use trillm::{Class, Coded};

use crate::door;

/// The name of Python's class for a class of errors.
fn python(class: Class) -> &'static str {
    match class {
        Class::NotFound => "ModelNotFound",
        Class::Format => "ModelFormatError",
        Class::Load => "LoadError",
        Class::InvalidRequest => "InvalidRequest",
        Class::ContextOverflow => "ContextOverflow",
        Class::ChatTemplate => "ChatTemplateError",
        Class::Unsupported => "Unsupported",
        Class::Overloaded => "Overloaded",
        Class::DeadlineExceeded => "DeadlineExceeded",
        Class::Cancelled => "Cancelled",
        Class::Closed => "Closed",
        Class::Forked => "ForkError",
        Class::OutOfMemory => "OutOfMemory",
        Class::MemoryRefused => "MemoryRefused",
        Class::Engine => "EngineError",
        Class::Store => "StoreError",
        Class::Digest => "DigestMismatch",
    }
}

/// The class of errors for which Python has a class of this name in `trillm.errors`.
pub(crate) fn named(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| python(*class) == name)
}

/// A native error as the Python exception of its class.
pub(crate) fn raise<E: Coded>(error: E) -> PyErr {
    exception(error.kind(), &error.to_string(), error.hint())
}

/// An exception of a class, with its code.
pub(crate) fn exception((class, code): (Class, &str), message: &str, hint: Option<String>) -> PyErr {
    Python::attach(|py| {
        // At exit other threads stop there rather than report that their model was closed.
        let made =
            door::module(py, "trillm.errors", |errors| errors.getattr(python(class))?.call1((message, code, hint)));
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// A parameter that cannot be read.
pub(crate) fn invalid(name: &str, found: &str, expected: &str) -> PyErr {
    exception((Class::InvalidRequest, "invalid_parameter"), &format!("{name} is {found}, expected {expected}"), None)
}

/// How Python shows a value, as far as a line of an error has room for it.
pub(crate) fn repr(value: &Bound<'_, PyAny>) -> String {
    const MOST: usize = 200;
    let whole = match (value.repr(), value.cast::<PyInt>()) {
        (Ok(repr), _) => repr.to_string(),
        // Python writes numbers up to a length.
        (Err(_), Ok(number)) => number
            .call_method0("bit_length")
            .map_or_else(|_| "a whole number".into(), |bits| format!("a whole number of {bits} bits")),
        (Err(_), Err(_)) => "something else".into(),
    };
    match whole.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

pub(crate) fn fork_error() -> PyErr {
    let message = "the model was loaded before fork, and its threads do not exist in this child process";
    let hint = "load it in the child, or start processes with the \"spawn\" method";
    exception((Class::Forked, "forked"), message, Some(hint.into()))
}
