//! What a path leads to, by what lies there and not by its name.

use std::path::{Path, PathBuf};

use crate::detect::{self, Format};
use crate::torch::{self, Older};
use crate::{Error, Result, disk, gguf, onnx, weights};

const EXPECTED: &str = "a model (GGUF, safetensors, a PyTorch checkpoint or ONNX)";

/// What lies at a path.
pub(crate) enum Found {
    /// A GGUF file, the first if there are several.
    Gguf(PathBuf),
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
        // A folder with several formats is a checkpoint: it can be computed by more than one engine.
        if weights::is_checkpoint(path)? {
            return Ok(Found::Checkpoint);
        }
        if let Some(graph) = onnx::find(path)? {
            return Ok(Found::Onnx(graph));
        }
        return Ok(gguf::in_folder(path)?.map_or(Found::Checkpoint, Found::Gguf));
    }
    let (bytes, _) = disk::beginning(path, 8 << 10)?;
    match (detect::detect(&bytes), torch::recognize(&bytes)) {
        (Some(Format::Gguf), _) => Ok(Found::Gguf(path.to_owned())),
        (Some(Format::Safetensors | Format::Zip), _) | (None, Some(Older::Checkpoint)) => Ok(Found::Checkpoint),
        (None, Some(Older::Other)) => Err(torch::other(path)),
        // ONNX has no magic number, so a name counts too.
        _ if detect::is_onnx(&bytes) || onnx::is_named(path) => Ok(Found::Onnx(path.to_owned())),
        _ if bytes.trim_ascii_start().first() == Some(&b'{') => Ok(Found::Json),
        _ => Err(Found::unknown(path, detect::describe(&bytes))),
    }
}

/// The GGUF file that a path leads to, the first of a split model; `None` if it leads to another model.
///
/// # Errors
/// If there is no model at all, as [`open`](crate::open) says it.
pub fn gguf_at(path: &Path) -> Result<Option<PathBuf>> {
    match find(path)? {
        Found::Json if !weights::is_index(path) => Err(Found::json(path)),
        Found::Gguf(file) => Ok(Some(file)),
        Found::Checkpoint | Found::Onnx(_) | Found::Json => Ok(None),
    }
}

/// Whether a path leads to an ONNX graph, which has no weights that a reader of checkpoints could find.
pub fn is_graph(path: &Path) -> bool {
    matches!(find(path), Ok(Found::Onnx(_)))
}
