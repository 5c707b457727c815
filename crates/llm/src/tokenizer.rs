//! A model's tokenizer without its weights.

use std::path::Path;

use trillm_core::Tokenizer;
use trillm_formats::huggingface::Sidecars;
use trillm_formats::{TOKENIZER, inspect_vocabulary};
use trillm_tokenizer::{GgufTokenizer, HuggingFaceTokenizer};

use crate::Result;

/// A vocabulary: of a GGUF file, of a `tokenizer.json`, or of the folder that one is in.
pub struct VocabularyFile(Box<dyn Tokenizer>);

impl VocabularyFile {
    /// Reads the vocabulary of the file or folder at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let info = inspect_vocabulary(path)?;
        if info.format == TOKENIZER {
            let folder = info.path.parent().unwrap_or(Path::new("."));
            return Ok(Self(Box::new(HuggingFaceTokenizer::open(&info.path, &Sidecars::open(folder)?)?)));
        }
        Ok(Self(Box::new(GgufTokenizer::open(&info.path)?)))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        &*self.0
    }
}
