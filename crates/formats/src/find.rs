//! What a path leads to, by what lies there and not by its name.

use std::path::{Path, PathBuf};

use crate::detect::{self, Format};
use crate::{Error, Result, disk, onnx, torch, weights};

const EXPECTED: &str = "a model (GGUF, safetensors, a PyTorch checkpoint or ONNX)";

/// What lies at a path.
pub(crate) enum Found {
    Gguf,
    /// A folder, or a file that belongs to one.
    Checkpoint,
    /// A file with a graph.
    Onnx(PathBuf),
    /// A file that begins like JSON.
    Json,
}

impl Found {
    /// The error for a file that is no model.
    pub(crate) fn unknown(path: &Path, found: String) -> Error {
        Error::UnknownFormat { expected: EXPECTED, found }.of(path)
    }

    /// The error for a file that is about a model at most.
    pub(crate) fn json(path: &Path) -> Error {
        Self::unknown(path, "JSON text".into())
    }
}

pub(crate) fn find(path: &Path) -> Result<Found> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if metadata.is_dir() {
        // A folder with both is a checkpoint: it can be computed by more than one engine.
        let graph = if weights::is_checkpoint(path)? { None } else { onnx::find(path)? };
        return Ok(graph.map_or(Found::Checkpoint, Found::Onnx));
    }
    let (bytes, _) = disk::beginning(path, 8 << 10)?;
    match detect::detect(&bytes) {
        Some(Format::Gguf) => Ok(Found::Gguf),
        Some(Format::Safetensors | Format::Zip) => Ok(Found::Checkpoint),
        None if torch::is_legacy(&bytes) => Err(torch::legacy(path)),
        // ONNX has no magic number, so a name counts too.
        None if detect::is_onnx(&bytes) || onnx::is_named(path) => Ok(Found::Onnx(path.to_owned())),
        None if bytes.trim_ascii_start().first() == Some(&b'{') => Ok(Found::Json),
        None => Err(Found::unknown(path, detect::describe(&bytes))),
    }
}

/// Whether a path leads to a GGUF file.
///
/// # Errors
/// If there is no model at all, as [`open`](crate::open) says it.
pub fn is_gguf(path: &Path) -> Result<bool> {
    match find(path)? {
        Found::Json if !weights::is_index(path) => Err(Found::json(path)),
        found => Ok(matches!(found, Found::Gguf)),
    }
}

/// Whether a path leads to an ONNX graph, which has no weights that a reader of checkpoints could find.
pub fn is_graph(path: &Path) -> bool {
    matches!(find(path), Ok(Found::Onnx(_)))
}
