//! `WordPiece` of GGUF files: words as BERT makes them, each with a `▁` before it.

use trillm_core::Token;
use trillm_formats::gguf::Vocabulary as File;

use super::texts::is_in_texts;
use crate::Result;
use crate::bert::{self, Bert};
use crate::scratch::Scratch;
use crate::split::{Classes, Pass, Splitter};
use crate::wordpiece::WordPiece;
use crate::words::SPACE;

pub(super) struct Wpm {
    normalizer: Bert,
    splitter: Splitter,
    model: WordPiece,
}

impl Wpm {
    pub(super) fn new(file: &File<'_>) -> Result<Self> {
        let texts = (0..file.words.len()).filter(|&id| is_in_texts(file, id));
        let texts: Vec<_> = texts.map(|id| (&*file.words[id], id as u32)).collect();
        let lowercase = file.lowercase.unwrap_or(true);
        let normalizer = Bert {
            cleans: true,
            keeps_spaces: true,
            parts_chinese: true,
            strips_accents: file.strip_accents.unwrap_or(lowercase),
            lowercase,
        };
        Ok(Self {
            normalizer,
            splitter: Splitter::new(vec![Pass::Classes(Box::new(Classes::new(bert::class)))]),
            model: WordPiece::new(&texts, SPACE, "", file.special.unknown, usize::MAX)?,
        })
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, text: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        self.splitter.split(&self.normalizer.normalize(text), &mut |word| {
            self.model.encode(word, &mut scratch.recent, out);
        });
    }
}
