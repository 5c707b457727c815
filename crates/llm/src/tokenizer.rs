//! A model's tokenizer without its weights.

use std::path::Path;

use trillm_core::Tokenizer;
use trillm_formats::TokenizerFile;
use trillm_tokenizer::{GgufTokenizer, HuggingFaceTokenizer};

use crate::Result;

/// A vocabulary: of a GGUF file, of a `tokenizer.json`, or of the folder that one is in.
pub struct VocabularyFile(Box<dyn Tokenizer>);

impl VocabularyFile {
    /// Reads the vocabulary of the file or folder at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(match TokenizerFile::open(path)? {
            TokenizerFile::Gguf(head) => Box::new(GgufTokenizer::of(&head)?),
            TokenizerFile::HuggingFace { path, sidecars } => Box::new(HuggingFaceTokenizer::open(&path, &sidecars)?),
        }))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        &*self.0
    }
}
