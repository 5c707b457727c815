//! The one door for every format: from a path to a model that an engine may load.

use std::path::Path;

use trillm_core::{ModelFile, ModelInfo};

use crate::find::{Found, find, in_folder};
use crate::onnx::Onnx;
use crate::{Checkpoint, Result, gguf, weights};

/// Reads a file or folder and checks that it makes a model that an engine may load.
///
/// Nothing is loaded or mapped. A split GGUF model is named by its first file, a split safetensors model by its index
/// or its folder; the other files must lie beside it. The contents are those of the format: [`gguf::Files`],
/// [`Checkpoint`] or [`Onnx`].
///
/// # Errors
/// What is wrong with which file; [`Error::VocabularyOnly`](crate::Error::VocabularyOnly) for a GGUF file with a
/// tokenizer and no weights.
pub fn open(path: &Path) -> Result<ModelFile> {
    read(path, find(path)?)
}

/// The same of the formats that are `wanted`, by their names, where a folder has a model in several. One that has it in
/// none of them is opened as [`open`] does: what is wrong with that is for whoever wanted another to say.
///
/// # Errors
/// As [`open`].
pub fn open_in(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<ModelFile> {
    let found = if path.is_dir() { in_folder(path, wanted)? } else { None };
    read(path, found.map_or_else(|| find(path), Ok)?)
}

fn read(path: &Path, found: Found) -> Result<ModelFile> {
    match found {
        Found::Json if !weights::is_index(path) => Err(Found::json(path)),
        Found::Checkpoint | Found::Json => {
            let checkpoint = Checkpoint::open(path)?;
            Ok(ModelFile::new(path, checkpoint.info(), checkpoint))
        }
        Found::Gguf(file) => {
            let files = gguf::Files::open(&file)?;
            Ok(ModelFile::new(&file, files.info(), files))
        }
        Found::Onnx(file) => {
            let onnx = Onnx::open(&file)?;
            Ok(ModelFile::new(path, onnx.info(), onnx))
        }
    }
}

/// The same for those who only ask what the model is.
///
/// # Errors
/// As [`open`].
pub fn inspect(path: &Path) -> Result<ModelInfo> {
    open(path).map(|file| file.info)
}
