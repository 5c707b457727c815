//! A model's tokenizer without its weights.

use std::path::Path;
use std::sync::Arc;

use trillm_core::{LoadOptions, Model, Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_formats::{TOKENIZER, inspect_vocabulary};
use trillm_text::Detokenizer;
use trillm_tokenizer::HuggingFaceTokenizer;

use crate::{Result, engines};

/// A vocabulary: of a GGUF file, of a `tokenizer.json`, or of the folder that one is in.
pub struct VocabularyFile(Held);

enum Held {
    /// An engine has its own tokenizer.
    Model(Arc<dyn Model>),
    HuggingFace(Box<HuggingFaceTokenizer>),
}

impl VocabularyFile {
    /// Reads the vocabulary of the file or folder at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let info = inspect_vocabulary(path)?;
        if info.format == TOKENIZER {
            let folder = info.path.parent().unwrap_or(Path::new("."));
            let tokenizer = HuggingFaceTokenizer::open(&info.path, &Sidecars::open(folder)?)?;
            return Ok(Self(Held::HuggingFace(Box::new(tokenizer))));
        }
        let engine = engines::choose("auto", info.format)?;
        let options = LoadOptions { vocabulary_only: true, ..LoadOptions::default() };
        Ok(Self(Held::Model(engine.load(path, info, &options)?)))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        match &self.0 {
            Held::Model(model) => model.tokenizer(),
            Held::HuggingFace(tokenizer) => &**tokenizer,
        }
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
