//! LoRA adapters: files of this format that change a model's weights.

use std::path::Path;

use super::Head;
use crate::detect::{self, Format};
use crate::{Error, Gguf, Result, disk};

/// Checks that llama.cpp may open a file as an adapter. It reads these keys without looking at their types, and aborts
/// if they are others; whether the adapter fits a model it sees itself.
///
/// # Errors
/// What is wrong with the file.
pub fn check_adapter(path: &Path) -> Result<()> {
    let (bytes, _) = disk::beginning(path, 8 << 10)?;
    if detect::detect(&bytes) != Some(Format::Gguf) {
        let expected = "a LoRA adapter (GGUF)";
        return Err(Error::UnknownFormat { expected, found: detect::describe(&bytes) }.of(path));
    }
    check(&Head::read(path)?.parse()?).map_err(|error| error.of(path))
}

fn check(file: &Gguf<'_>) -> Result<()> {
    for (key, expected) in [("general.type", "adapter"), ("adapter.type", "lora")] {
        let found = file.text(key)?;
        if found != Some(expected) {
            let found = found.map_or_else(|| "nothing".into(), |found| format!("{found:?}"));
            return Err(Error::Key { key: key.into(), found, expected: format!("{expected:?}: a LoRA adapter") });
        }
    }
    let architecture = "general.architecture";
    if file.text(architecture)?.is_none() {
        let expected = "the architecture that is adapted".into();
        return Err(Error::MissingKey { key: architecture.into(), expected });
    }
    file.f32("adapter.lora.alpha").map(drop)
}
