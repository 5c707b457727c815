//! Finds the file with the graph, and the folder with the small files.

use std::path::{Path, PathBuf};

use super::facts::{self, GENAI};
use crate::huggingface::TOKENIZER;
use crate::names::MODULES;
use crate::{Error, Result};

/// Names of a decoder's file, as exporters write them.
const NAMES: [&str; 4] =
    ["model.onnx", "decoder_model_merged.onnx", "onnx/model.onnx", "onnx/decoder_model_merged.onnx"];
/// Entries of a folder that are looked at.
const ENTRIES: usize = 10_000;
const EXPECTED: &str = "model.onnx, or one other .onnx file";

/// Whether a name is that of such a file.
pub(crate) fn is_named(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"))
}

/// The file with the graph: `path` itself, or one in that folder. `None` if the folder has none.
pub(crate) fn graph(path: &Path) -> Result<Option<PathBuf>> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Ok(Some(path.to_owned()));
    }
    if let Some(name) = facts::named_file(path)? {
        return Ok(Some(path.join(name)));
    }
    if let Some(name) = NAMES.iter().find(|name| path.join(name).is_file()) {
        return Ok(Some(path.join(name)));
    }
    for folder in [path.to_owned(), path.join("onnx")] {
        match &listed(&folder)?[..] {
            [] => {}
            [file] => return Ok(Some(file.clone())),
            several => {
                let found = format!("{} .onnx files, none of them model.onnx", several.len());
                return Err(Error::Weights { path: folder, found, expected: EXPECTED });
            }
        }
    }
    Ok(None)
}

/// The same; a folder without one is an error.
pub(super) fn required(path: &Path) -> Result<PathBuf> {
    let none = || Error::Weights { path: path.to_owned(), found: "no .onnx file".into(), expected: EXPECTED };
    graph(path)?.ok_or_else(none)
}

/// Whether a folder has graphs, by names alone.
pub(crate) fn is_in(folder: &Path) -> bool {
    [folder.to_owned(), folder.join("onnx")].iter().any(|place| listed(place).is_ok_and(|found| !found.is_empty()))
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)?.take(ENTRIES) {
        let path = entry.map_err(failed)?.path();
        if is_named(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The folder that says how texts become vectors, for a file whose other small files lie in `folder`: the one above, if
/// the file lies in a folder `onnx` of a model of sentence-transformers.
pub(crate) fn modules(file: &Path, folder: &Path) -> PathBuf {
    let own = parent(file);
    let full = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    let above = full.parent().filter(|above| full.ends_with("onnx") && above.join(MODULES).is_file());
    match above {
        Some(above) if !folder.join(MODULES).is_file() => above.to_owned(),
        _ => folder.to_owned(),
    }
}

/// The folder that a file lies in.
pub(super) fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder with tokenizer and configuration for a file: its own, or the one above it.
pub(crate) fn sidecars(file: &Path) -> PathBuf {
    let own = parent(file);
    let has_any = |folder: &Path| [TOKENIZER, "config.json", GENAI].iter().any(|name| folder.join(name).is_file());
    // A folder that is named by nothing but dots has its name, and what is above it, from the system.
    let above = if own.file_name().is_some() { own.parent().map(Path::to_owned) } else { Some(own.join("..")) };
    let above = above.map(|above| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above });
    match above {
        Some(above) if !has_any(own) && has_any(&above) => above,
        _ => own.to_owned(),
    }
}
