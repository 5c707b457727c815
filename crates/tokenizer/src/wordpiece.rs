//! `WordPiece`: the longest beginning of a word that is a token, again and again, or one unknown token for all of it.

use trillm_core::Token;

use crate::Result;
use crate::greedy::Greedy;
use crate::recent::Recent;

pub(crate) struct WordPiece {
    tokens: Greedy,
    /// Stands before each word.
    lead: &'static str,
    unknown: Option<u32>,
    /// Characters of the longest word that is looked at.
    longest: usize,
}

impl WordPiece {
    /// A model of these tokens, of which those that begin a word begin with `lead`, and the others with `prefix`.
    pub(crate) fn new<T: AsRef<[u8]>>(
        tokens: &[(T, u32)],
        lead: &'static str,
        prefix: &str,
        unknown: Option<u32>,
        longest: usize,
    ) -> Result<Self> {
        Ok(Self { tokens: Greedy::new(tokens, prefix.as_bytes())?, lead, unknown, longest })
    }

    /// Appends the tokens of a word; nothing, and `false`, if it has none and there is no unknown token.
    pub(crate) fn encode(&self, word: &str, recent: &mut Recent, out: &mut Vec<Token>) -> bool {
        if recent.get(word, out) {
            return true;
        }
        let start = out.len();
        // Counted only where it may be too long.
        let is_short = word.len() <= self.longest || word.chars().count() <= self.longest;
        if !(is_short && self.tokens.encode_behind(self.lead.as_bytes(), word.as_bytes(), out)) {
            let Some(unknown) = self.unknown else { return false };
            out.push(Token(unknown));
        }
        recent.put(word, &out[start..]);
        true
    }
}
