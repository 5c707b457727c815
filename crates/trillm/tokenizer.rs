//! A model's tokenizer without its weights.

use std::path::Path;
use std::sync::Arc;

use trillm_core::{LoadOptions, Model, Token, Tokenizer};
use trillm_formats::inspect_vocabulary;
use trillm_text::Detokenizer;

use crate::{Result, engines};

/// A vocabulary, loaded from a model file or from one that has nothing else.
pub struct VocabularyFile {
    model: Arc<dyn Model>,
}

impl VocabularyFile {
    /// Reads the vocabulary of the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let info = inspect_vocabulary(path)?;
        let engine = engines::choose("auto", info.format)?;
        let options = LoadOptions { vocabulary_only: true, ..LoadOptions::default() };
        Ok(Self { model: engine.load(path, info, &options)? })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        self.model.tokenizer()
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
    text
}
