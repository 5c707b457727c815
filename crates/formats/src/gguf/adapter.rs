//! LoRA adapters: files of this format that change a model's weights.

use std::path::Path;

use super::Head;
use crate::detect::{self, Format};
use crate::{Error, Gguf, Result, disk};

/// Checks that llama.cpp may open a file as an adapter. It reads these keys without looking at their types, and aborts
/// if they are others; whether the adapter fits a model it sees itself. Gives the bytes of its weights, which llama.cpp
/// reads into memory of its own.
///
/// # Errors
/// What is wrong with the file.
pub fn check_adapter(path: &Path) -> Result<u64> {
    let (bytes, _) = disk::beginning(path, 8 << 10)?;
    if detect::detect(&bytes) != Some(Format::Gguf) {
        let expected = "a LoRA adapter (GGUF)";
        return Err(Error::UnknownFormat { expected, found: detect::describe(&bytes) }.of(path));
    }
    let head = Head::read(path)?;
    let file = head.parse()?;
    check(&file).map_err(|error| error.of(path))?;
    Ok(file
        .tensors()
        .iter()
        .filter(|tensor| is_read(tensor.name))
        .map(|tensor| tensor.bytes)
        .fold(0, u64::saturating_add))
}

/// Whether llama.cpp reads a tensor of this name: it passes over vectors that scale a norm.
fn is_read(name: &str) -> bool {
    [".lora_a", ".lora_b"].iter().any(|end| name.ends_with(end))
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
