//! The door for whoever wants a model's words alone: a file or folder with a tokenizer, whether or not it has weights.

use std::path::{Path, PathBuf};

use crate::find::{Found, find};
use crate::gguf::{self, Head};
use crate::huggingface::{Sidecars, TOKENIZER};
use crate::{Error, Result, onnx, sentence, weights};

/// What was read of a tokenizer, and of the files that say how it is used.
#[derive(Debug)]
pub enum TokenizerFile {
    /// The header of a GGUF file.
    Gguf(Head),
    /// A `tokenizer.json`, which is not read here and may be absent, and the small files beside it.
    HuggingFace {
        /// Where it is.
        path: PathBuf,
        /// What the others say.
        sidecars: Box<Sidecars>,
    },
}

impl TokenizerFile {
    /// The header of a GGUF file; `None` if the path leads to anything else.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn gguf(path: &Path) -> Result<Option<Head>> {
        match find(path) {
            Ok(Found::Gguf(file)) => gguf::vocabulary(&file).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads a file or folder that is to hold a tokenizer.
    ///
    /// A folder is one of Hugging Face's layout with `tokenizer.json` in it, or in the folder of its network; that file itself
    /// stands for its folder.
    ///
    /// # Errors
    /// What is wrong with the file, and with the model's other small files.
    pub fn open(path: &Path) -> Result<Self> {
        let found = match find(path) {
            // Which of the models is meant does not matter then.
            Err(Error::SeveralModels { .. }) if path.join(TOKENIZER).is_file() => Found::Checkpoint,
            found => found?,
        };
        match found {
            Found::Gguf(file) => gguf::vocabulary(&file).map(Self::Gguf),
            Found::Checkpoint if path.is_dir() => {
                let folder = sentence::network(path)?;
                beside(&folder, folder.join(TOKENIZER))
            }
            Found::Onnx(file) => {
                let (path, sidecars) = onnx::vocabulary(&file)?;
                Ok(Self::HuggingFace { path, sidecars: Box::new(sidecars) })
            }
            found => {
                let folder = weights::folder(path);
                let is_tokenizer = matches!(found, Found::Json) && !weights::is_index(path);
                beside(folder, if is_tokenizer { path.to_owned() } else { folder.join(TOKENIZER) })
            }
        }
    }
}

/// The tokenizer at `path`, with the small files in `folder`. All of them may be absent, and `config.json` may be that of a
/// model which is not run here.
fn beside(folder: &Path, path: PathBuf) -> Result<TokenizerFile> {
    Ok(TokenizerFile::HuggingFace { path, sidecars: Box::new(Sidecars::open(folder)?) })
}
