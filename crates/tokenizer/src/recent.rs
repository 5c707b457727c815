//! Words of one text that merging took apart lately, with their tokens: few words make up most of a text.

use std::hash::{BuildHasher, Hasher};

use trillm_core::Token;

/// How many words, and how long they may be. Together they stay below half a megabyte.
const WORDS: usize = 1 << 12;
const LONGEST: usize = 48;

/// A cache of one text: it is made when a word comes that is no token, and dropped with the text.
#[derive(Default)]
pub(crate) struct Recent {
    words: Vec<(String, Vec<Token>)>,
    /// Random, so that no text can be made whose words all have one place.
    seed: std::hash::RandomState,
    /// Words that came; a short text needs no cache.
    came: usize,
}

impl Recent {
    /// Appends the tokens of a word, if they are known.
    pub(crate) fn get(&mut self, word: &str, out: &mut Vec<Token>) -> bool {
        let place = self.place(word);
        match self.words.get(place) {
            Some((known, tokens)) if known == word => {
                out.extend_from_slice(tokens);
                true
            }
            _ => false,
        }
    }

    /// Keeps the tokens of a word in place of another one's.
    pub(crate) fn put(&mut self, word: &str, tokens: &[Token]) {
        self.came += 1;
        if word.len() > LONGEST || self.came < WORDS / 64 {
            return;
        }
        if self.words.is_empty() {
            self.words.resize(WORDS, Default::default());
        }
        let place = self.place(word);
        let (known, kept) = &mut self.words[place];
        known.clear();
        known.push_str(word);
        kept.clear();
        kept.extend_from_slice(tokens);
    }

    fn place(&self, word: &str) -> usize {
        if self.words.is_empty() || word.len() > LONGEST {
            return WORDS;
        }
        let mut hasher = self.seed.build_hasher();
        hasher.write(word.as_bytes());
        hasher.finish() as usize % WORDS
    }
}
