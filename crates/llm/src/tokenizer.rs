//! A model's tokenizer without its weights.

use std::path::Path;

use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_formats::{TOKENIZER, inspect_vocabulary};
use trillm_text::Detokenizer;
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

/// The text of `tokens`; incomplete or invalid characters become U+FFFD, as by [`String::from_utf8_lossy`].
pub fn decode(tokenizer: &dyn Tokenizer, tokens: &[Token]) -> String {
    let mut detokenizer = Detokenizer::default();
    let mut text = String::new();
    for &token in tokens {
        detokenizer.push(tokenizer.bytes(token), &mut text);
    }
    detokenizer.finish(&mut text);
    // The space that encoding put before the text.
    if tokenizer.adds_space() && text.starts_with(' ') {
        text.remove(0);
    }
    text
}
