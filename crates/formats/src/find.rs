//! What a path leads to, by what lies there and not by its name.

use std::path::{Path, PathBuf};

use crate::detect::{self, Format};
use crate::torch::{self, Older};
use crate::{Error, Result, disk, gguf, onnx, weights};

const EXPECTED: &str = "a model (GGUF, safetensors, a PyTorch checkpoint or ONNX)";

/// What weights in a folder of Hugging Face's layout are called.
const CHECKPOINT: [&str; 2] = ["safetensors", "pytorch"];
const GRAPH: &str = "onnx";
const GGUF: &str = "gguf";

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
        return Ok(in_folder(path, &|_| true)?.unwrap_or(Found::Checkpoint));
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

/// What a folder leads to of the formats that are `wanted`, by their names; `None` if it has no model in one of them.
///
/// Of several formats weights count first, then a graph, then a GGUF file: the most that can be asked of a folder
/// (quantizing, embedding, other types) can be asked of weights.
pub(crate) fn in_folder(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Option<Found>> {
    if CHECKPOINT.into_iter().any(wanted) && weights::is_checkpoint(folder)? {
        return Ok(Some(Found::Checkpoint));
    }
    if wanted(GRAPH)
        && let Some(graph) = onnx::find(folder)?
    {
        return Ok(Some(Found::Onnx(graph)));
    }
    if wanted(GGUF) {
        return Ok(gguf::in_folder(folder)?.map(Found::Gguf));
    }
    Ok(None)
}

/// The formats in which a folder has a model, that which counts unasked first.
///
/// They are told by names alone, so that a model may still turn out to be none. A folder of several GGUF files has that
/// format, though nobody but the user knows which of them is meant.
pub fn formats_in(folder: &Path) -> Vec<&'static str> {
    // What cannot be read, or stands for several, is there: the error is for whoever opens it.
    let there = [
        // One reader takes both kinds of weights, and knows by their content which they are.
        (CHECKPOINT[0], weights::is_checkpoint(folder).unwrap_or(true)),
        (GRAPH, onnx::is_in(folder)),
        (GGUF, !matches!(gguf::in_folder(folder), Ok(None))),
    ];
    there.into_iter().filter_map(|(format, is_there)| is_there.then_some(format)).collect()
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
