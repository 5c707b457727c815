//! Native errors as the classes of `trillm.errors`.

use pyo3::prelude::*;
use trillm::Coded;

use crate::door;

/// The class for each code. A code without one is a bug that `tests/python/test_errors.py` finds.
const CLASSES: &[(&str, &str)] = &[
    // A request.
    ("context_overflow", "ContextOverflow"),
    ("invalid_parameter", "InvalidRequest"),
    ("overloaded", "Overloaded"),
    ("deadline_exceeded", "DeadlineExceeded"),
    ("cancelled", "Cancelled"),
    ("closed", "Closed"),
    ("cache_full", "EngineError"),
    ("invalid_batch", "EngineError"),
    ("engine_failed", "EngineError"),
    ("out_of_memory", "OutOfMemory"),
    ("no_thread", "EngineError"),
    ("unsupported", "Unsupported"),
    ("missing_dependency", "MissingDependency"),
    ("internal_error", "EngineError"),
    ("forked", "ForkError"),
    // Loading.
    ("load_failed", "LoadError"),
    ("load_cancelled", "LoadError"),
    ("no_engine", "Unsupported"),
    ("wrong_engine", "Unsupported"),
    ("unknown_engine", "InvalidRequest"),
    // A chat.
    ("no_chat_template", "ChatTemplateError"),
    ("no_default_chat_template", "ChatTemplateError"),
    ("unknown_chat_template", "ChatTemplateError"),
    ("invalid_chat_template", "ChatTemplateError"),
    ("chat_template_failed", "ChatTemplateError"),
    ("chat_template_refused", "ChatTemplateError"),
    ("chat_template_exceeded", "ChatTemplateError"),
    ("tools_not_shown", "ChatTemplateError"),
    ("invalid_message", "InvalidRequest"),
    // A file.
    ("read_failed", "ModelNotFound"),
    ("not_a_file", "ModelNotFound"),
    ("unknown_format", "ModelFormatError"),
    ("unsupported_version", "ModelFormatError"),
    ("truncated", "ModelFormatError"),
    ("over_limit", "ModelFormatError"),
    ("malformed", "ModelFormatError"),
    ("missing_key", "ModelFormatError"),
    ("invalid_key", "ModelFormatError"),
    ("missing_tensor", "ModelFormatError"),
    ("invalid_tensor", "ModelFormatError"),
    ("unsupported_architecture", "ModelFormatError"),
    ("vocabulary_only", "ModelFormatError"),
    ("not_first_shard", "ModelFormatError"),
    ("missing_shard", "ModelFormatError"),
    ("invalid_shard_name", "ModelFormatError"),
    ("forbidden_global", "ModelFormatError"),
    ("missing_tokenizer", "ModelNotFound"),
    // A conversion.
    ("same_format", "InvalidRequest"),
    ("destination_exists", "InvalidRequest"),
    ("destination_not_replaceable", "InvalidRequest"),
    ("cannot_convert", "Unsupported"),
    ("unsupported_tensor_type", "Unsupported"),
    ("unknown_tensor", "Unsupported"),
    ("weight_out_of_range", "Unsupported"),
    ("write_failed", "StoreError"),
    // Names and the store.
    ("model_not_found", "ModelNotFound"),
    ("invalid_reference", "InvalidRequest"),
    ("invalid_aliases", "InvalidRequest"),
    ("no_generation", "ModelNotFound"),
    ("ambiguous_generation", "InvalidRequest"),
    ("download_failed", "DownloadError"),
    ("download_timeout", "DownloadError"),
    ("access_denied", "DownloadError"),
    ("redirect_refused", "DownloadError"),
    ("digest_mismatch", "DigestMismatch"),
    ("invalid_file_name", "StoreError"),
    ("invalid_digest", "StoreError"),
    ("invalid_model", "StoreError"),
    ("incomplete_download", "StoreError"),
    ("cannot_link", "StoreError"),
    ("corrupt_manifest", "StoreError"),
    ("model_damaged", "StoreError"),
    ("no_store_folder", "StoreError"),
    ("disk_full", "StoreError"),
    ("permission_denied", "StoreError"),
    ("store_io", "StoreError"),
];

fn class_of(code: &str) -> &'static str {
    CLASSES.iter().find(|(known, _)| *known == code).map_or("TrillmError", |(_, class)| class)
}

/// A native error as the Python exception of its class.
pub(crate) fn raise<E: Coded>(error: E) -> PyErr {
    exception(error.code(), &error.to_string(), error.hint())
}

/// An exception of the class for `code`.
pub(crate) fn exception(code: &str, message: &str, hint: Option<String>) -> PyErr {
    Python::attach(|py| {
        // At exit other threads stop here rather than report that their model was closed.
        let _ = door::out(py, || ());
        let made = py
            .import("trillm.errors")
            .and_then(|module| module.getattr(class_of(code)))
            .and_then(|class| class.call1((message, code, hint)));
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// A parameter that cannot be read.
pub(crate) fn invalid(name: &str, found: &str, expected: &str) -> PyErr {
    exception("invalid_parameter", &format!("{name} is {found}, expected {expected}"), None)
}

/// How Python shows a value, as far as a line of an error has room for it.
pub(crate) fn repr(value: &Bound<'_, PyAny>) -> String {
    const MOST: usize = 200;
    let whole = value.repr().map_or_else(|_| "something else".into(), |repr| repr.to_string());
    match whole.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

pub(crate) fn fork_error() -> PyErr {
    let message = "the model was loaded before fork, and its threads do not exist in this child process";
    let hint = "load it in the child, or start processes with the \"spawn\" method";
    exception("forked", message, Some(hint.into()))
}

/// Every error code, and the name of the class it is raised as.
#[pyfunction]
pub(crate) fn error_codes() -> std::collections::BTreeMap<&'static str, &'static str> {
    CLASSES.iter().copied().collect()
}
