//! The unigram model of GGUF files, with SentencePiece's way from a text to what it looks at.

use trillm_core::Token;
use trillm_formats::gguf::{TokenType, Vocabulary as File};

use super::texts::is_in_texts;
use crate::charsmap::Charsmap;
use crate::limit::Limits;
use crate::scratch::Scratch;
use crate::unigram::{PENALTY, Unigram};
use crate::words::SPACE;
use crate::{Error, Result};

/// The most bytes that a beginning of a text may become. Those of real tables become 33 at most.
const LONGEST: usize = 256;

pub(super) struct Ugm {
    model: Unigram,
    charsmap: Charsmap,
    /// A space goes before a text.
    prefix: bool,
    /// Spaces in a row become one, and those around a text are dropped.
    merges_spaces: bool,
}

impl Ugm {
    pub(super) fn new(file: &File<'_>) -> Result<Self> {
        let score = |id: usize| file.scores.get(id).copied().unwrap_or_default();
        let normal = |id: &usize| file.types[*id] == TokenType::Normal;
        let worst = (0..file.words.len()).filter(normal).map(score).fold(f32::MAX, f32::min);
        let taken =
            |id: &usize| !matches!(file.types[*id], TokenType::Byte | TokenType::Undefined) && is_in_texts(file, *id);
        // What is no text is part of none.
        let texts = (0..file.words.len()).filter(|id| taken(id) && str::from_utf8(&file.words[*id]).is_ok());
        let texts: Vec<_> = texts.map(|id| (&*file.words[id], id as u32)).collect();
        let scores = (0..file.words.len()).map(|id| match file.types[id] {
            TokenType::UserDefined => 0.0,
            _ => f64::from(score(id)),
        });
        let charsmap = Charsmap::new(file.charsmap);
        let found = charsmap.longest_replacement();
        if found > LONGEST {
            let (what, found, limit) = ("bytes that a character is replaced by", found as u64, LONGEST as u64);
            return Err(Error::Limit { what, found, limit });
        }
        let unknown_score = f64::from(worst - PENALTY as f32);
        Ok(Self {
            model: Unigram::new(texts, scores.collect(), file.special.unknown, unknown_score, Vec::new())?,
            charsmap,
            prefix: file.add_space_prefix.unwrap_or(false),
            merges_spaces: file.remove_extra_whitespaces,
        })
    }

    /// Whether encoding puts a space before a text.
    pub(super) fn adds_space(&self) -> bool {
        self.prefix || self.merges_spaces
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(
        &self,
        text: &str,
        limits: Limits,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) -> trillm_core::Result<()> {
        let normalized = self.normalize(text);
        limits.normalized(normalized.len())?;
        let Scratch { barred, unigram, recent, shortage, .. } = scratch;
        self.model.encode(&normalized, barred, unigram, recent, shortage, out);
        Ok(())
    }

    fn normalize(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4 + SPACE.len());
        let (mut prepended, mut in_word) = (false, false);
        self.charsmap.replace(text, |part| {
            for character in part.chars() {
                if character == ' ' {
                    in_word = false;
                    if !self.merges_spaces {
                        out.push_str(SPACE);
                    }
                    continue;
                }
                if !std::mem::replace(&mut in_word, true) && (self.prefix && !prepended || self.merges_spaces) {
                    out.push_str(SPACE);
                    prepended = true;
                }
                out.push(character);
            }
        });
        out
    }
}
