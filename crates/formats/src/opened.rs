//! What loading a path comes to, for whoever takes the model elsewhere: which file is opened, and which folders are
//! looked into for the small ones.
//!
//! Nothing is read of a model here but the list of its parts, so it may still be one that cannot be loaded.

use std::path::{Path, PathBuf};

use crate::find::{Found, find};
use crate::{Result, onnx, sentence, weights};

/// Where a model lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The file that is opened: with weights or a graph, or the index of several.
    pub file: PathBuf,
    /// The folder with tokenizer and configuration.
    pub small: PathBuf,
    /// The folder that says how texts become vectors.
    pub modules: PathBuf,
}

/// Where the model lies that a path leads to; `None` for a file of JSON that is no index.
///
/// # Errors
/// Why the path leads to no model, and [`Error::Key`](crate::Error::Key) for a list of parts that lie elsewhere.
pub fn opened(path: &Path) -> Result<Option<Opened>> {
    Ok(match find(path)? {
        Found::Json if !weights::is_index(path) => None,
        Found::Onnx(file) => {
            let small = onnx::sidecars(&file);
            let modules = onnx::modules(&file, &small);
            Some(Opened { file, small, modules })
        }
        Found::Checkpoint if path.is_dir() => {
            let small = sentence::network(path)?;
            Some(Opened { file: weights::of_folder(&small)?, small, modules: path.to_owned() })
        }
        Found::Gguf(file) => Some(in_its_folder(file)),
        Found::Checkpoint | Found::Json => Some(in_its_folder(path.to_owned())),
    })
}

fn in_its_folder(file: PathBuf) -> Opened {
    let folder = weights::folder(&file).to_owned();
    Opened { file, small: folder.clone(), modules: folder }
}
