//! Keys that a module does not take.
//!
//! sentence-transformers hands a configuration to the module's class, which refuses what it does not know; only `Dense`
//! and `Normalize` leave it out. Whoever wrote such a key wanted other vectors, or has a newer library.

use crate::Result;
use crate::huggingface::fields::Fields;

/// Refuses keys that nobody asked for and that `known` does not name.
pub(super) fn check(config: &Fields<'_>, known: &[&str]) -> Result<()> {
    match config.unasked(known).first() {
        None => Ok(()),
        Some(key) => Err(config.wrong(key, "a value", "no such key, which the module does not take")),
    }
}
