//! `WordPiece`: the longest beginning of a word that is a token, again and again, or one unknown token for all of it.

use trillm_core::Token;

use crate::Result;
use crate::greedy::Greedy;

pub(crate) struct WordPiece {
    tokens: Greedy,
    unknown: Option<u32>,
    /// Characters of the longest word that is looked at.
    longest: usize,
}

impl WordPiece {
    /// A model of these tokens, of which those that do not begin a word begin with `prefix`.
    pub(crate) fn new<T: AsRef<[u8]>>(
        tokens: &[(T, u32)],
        prefix: &str,
        unknown: Option<u32>,
        longest: usize,
    ) -> Result<Self> {
        Ok(Self { tokens: Greedy::new(tokens, prefix.as_bytes())?, unknown, longest })
    }

    /// Appends the tokens of a word; nothing, and `false`, if it has none and there is no unknown token.
    pub(crate) fn encode(&self, word: &str, out: &mut Vec<Token>) -> bool {
        // Counted only where it may be too long.
        let is_short = word.len() <= self.longest || word.chars().count() <= self.longest;
        if is_short && self.tokens.encode(word.as_bytes(), out) {
            return true;
        }
        out.extend(self.unknown.map(Token));
        self.unknown.is_some()
    }
}
