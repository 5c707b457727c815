//! Turns panics of the library `tokenizers` into errors.
//!
//! It panics on some files that parse: tables of a precompiled normalizer that point outside themselves, a pre-tokenizer
//! that cuts at every zero characters. No list of such files would be complete, and a model file is input, so every call
//! into it that depends on the file goes through here. The values it works on are dropped or unchanged after a panic:
//! parts under construction, or a tokenizer that is only read.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of `call`, with a panic or an error as its text.
pub(crate) fn guard<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("the library tokenizers failed: {}", text.as_deref().unwrap_or("a panic without a text")))
        }
    }
}
