//! The one door for every format: what a path leads to, by what lies there.

use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;

use crate::checkpoint::folder_name;
use crate::detect::{self, Format};
use crate::huggingface::{Config, Sidecars, TOKENIZER};
use crate::onnx::{self, Onnx};
use crate::{Checkpoint, Error, Result, disk, gguf, torch, weights};

const EXPECTED: &str = "a model (GGUF, safetensors, a PyTorch checkpoint or ONNX)";

/// What lies at a path.
enum Found {
    Gguf,
    /// A folder, or a file that belongs to one.
    Checkpoint,
    /// A file with a graph.
    Onnx(PathBuf),
    /// A file that begins like JSON.
    Json,
}

fn find(path: &Path) -> Result<Found> {
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
        None => Err(Error::UnknownFormat { expected: EXPECTED, found: detect::describe(&bytes) }.of(path)),
    }
}

/// Checks that a file or folder makes a model that an engine may load, and says what it is.
///
/// Nothing is loaded or mapped. A split GGUF model is named by its first file, a split safetensors model by its index
/// or its folder; the other files must lie beside it.
///
/// # Errors
/// What is wrong with which file; [`Error::VocabularyOnly`] for a GGUF file with a tokenizer and no weights.
pub fn inspect(path: &Path) -> Result<ModelInfo> {
    match find(path)? {
        Found::Gguf => gguf::inspect(path),
        Found::Checkpoint => Ok(Checkpoint::open(path)?.info()),
        Found::Onnx(file) => Ok(Onnx::open(&file)?.info()),
        Found::Json if weights::is_index(path) => Ok(Checkpoint::open(path)?.info()),
        Found::Json => Err(Error::UnknownFormat { expected: EXPECTED, found: "JSON text".into() }.of(path)),
    }
}

/// Checks that a file or folder holds a tokenizer, with or without weights, and says what it is.
///
/// A folder is one of Hugging Face's layout with `tokenizer.json` in it; that file itself stands for its folder. What
/// is in `tokenizer.json` is not read here: the format is `tokenizer.json`, and `path` leads to it.
///
/// # Errors
/// What is wrong with the file.
pub fn inspect_vocabulary(path: &Path) -> Result<ModelInfo> {
    match find(path)? {
        Found::Gguf => gguf::inspect_vocabulary(path),
        Found::Checkpoint if path.is_dir() => tokenizer(path, &path.join(TOKENIZER)),
        Found::Onnx(file) => onnx::vocabulary(&file),
        found => {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let is_tokenizer = matches!(found, Found::Json) && !weights::is_index(path);
            tokenizer(folder, &if is_tokenizer { path.to_owned() } else { folder.join(TOKENIZER) })
        }
    }
}

/// What the small files in `folder` say of the tokenizer in `file`. All of them may be absent.
fn tokenizer(folder: &Path, file: &Path) -> Result<ModelInfo> {
    let (_, bytes) = disk::open(file)?;
    let mut notes = Vec::new();
    let (config, object) = if folder.join("config.json").exists() {
        let (config, object) = Config::open(folder, &mut notes)?;
        (Some(config), object)
    } else {
        (None, serde_json::Map::new())
    };
    let sidecars = Sidecars::read(folder, &object)?;
    let vocabulary = config.as_ref().map_or(0, |config| match config {
        Config::Decoder(decoder) => decoder.vocabulary,
        Config::Encoder(encoder) => encoder.vocabulary,
    });
    Ok(ModelInfo {
        name: folder_name(folder),
        path: file.to_owned(),
        format: TOKENIZER,
        architecture: config.map(|config| config.model_type().into()).unwrap_or_default(),
        bytes,
        vocabulary,
        notes: [notes, sidecars.notes.clone()].concat(),
        ..sidecars.info()
    })
}
