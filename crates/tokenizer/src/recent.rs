//! Words of one text with their tokens: few words make up most of a text, and looking one up among tokens, which takes
//! a walk through memory, is what most of the time went to.

use std::hash::{BuildHasher, RandomState};

use trillm_core::Token;

use crate::lookup::hash;

/// How many short words are kept, in half a megabyte together, and how many others.
const SHORT: usize = 1 << 13;
const OTHERS: usize = 1 << 12;

/// How long a word may be that is kept.
const LONGEST: usize = 48;

/// Words that come before there is a cache: a short text needs none.
const BEFORE: usize = 64;

/// A cache of one text, dropped with it.
#[derive(Default)]
pub(crate) struct Recent {
    short: Vec<Short>,
    others: Vec<(String, Vec<Token>)>,
    /// Random, so that no text can be made whose words all have one place.
    seed: u64,
    /// Words that came.
    came: usize,
}

/// A word of at most sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Key {
    /// Its first eight bytes and its last; of one with fewer, all of them in both.
    ends: [u64; 2],
    length: u8,
}

#[derive(Clone, Copy, Default)]
struct Short {
    key: Key,
    /// More than there is room for: the tokens are among the others.
    count: u8,
    tokens: [Token; 3],
}

impl Key {
    fn of(word: &[u8]) -> Option<Self> {
        let ends = match word.len() {
            8..=16 => [u64::from_le_bytes(*word.first_chunk()?), u64::from_le_bytes(*word.last_chunk()?)],
            4..8 => {
                let (first, last) = (u32::from_le_bytes(*word.first_chunk()?), u32::from_le_bytes(*word.last_chunk()?));
                [u64::from(first), u64::from(last)]
            }
            // One to three: the first, the middle and the last.
            1..4 => [u64::from(word[0]) | u64::from(word[word.len() / 2]) << 8, u64::from(word[word.len() - 1])],
            _ => return None,
        };
        Some(Self { ends, length: word.len() as u8 })
    }

    fn place(self, seed: u64) -> usize {
        let [first, last] = self.ends;
        let product = u128::from(first ^ seed) * u128::from(last ^ seed.rotate_left(32) ^ u64::from(self.length));
        (product as u64 ^ (product >> 64) as u64) as usize % SHORT
    }
}

impl Recent {
    /// Appends the tokens of a word, if they are known.
    pub(crate) fn get(&mut self, word: &str, out: &mut Vec<Token>) -> bool {
        if self.short.is_empty() {
            return false;
        }
        if let Some(key) = Key::of(word.as_bytes()) {
            let short = &self.short[key.place(self.seed)];
            if short.key != key {
                return false;
            }
            // Most words are one token, and pushing it is faster than copying a list of them.
            if short.count == 1 {
                out.push(short.tokens[0]);
                return true;
            }
            if let Some(tokens) = short.tokens.get(..short.count.into()) {
                out.extend_from_slice(tokens);
                return true;
            }
        }
        match self.others.get(self.place(word)) {
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
        if word.len() > LONGEST || self.came < BEFORE {
            return;
        }
        if self.short.is_empty() {
            self.seed = RandomState::new().hash_one(0);
            self.short.resize(SHORT, Short::default());
        }
        if let Some(key) = Key::of(word.as_bytes()) {
            let short = &mut self.short[key.place(self.seed)];
            *short = Short { key, count: u8::MAX, ..Short::default() };
            if let Some(room) = short.tokens.get_mut(..tokens.len()) {
                room.copy_from_slice(tokens);
                short.count = tokens.len() as u8;
                return;
            }
        }
        if self.others.is_empty() {
            self.others.resize(OTHERS, Default::default());
        }
        let place = self.place(word);
        let (known, kept) = &mut self.others[place];
        known.clear();
        known.push_str(word);
        kept.clear();
        kept.extend_from_slice(tokens);
    }

    /// Where a word is among the others.
    fn place(&self, word: &str) -> usize {
        if word.len() > LONGEST { OTHERS } else { hash(word.as_bytes(), self.seed) as usize % OTHERS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each word is told from all others, whatever place they share.
    #[test]
    fn words_keep_their_own_tokens() {
        let letters = ['a', 'b', 'é'];
        let mut words: Vec<String> = vec![String::new()];
        for at in 0..400 {
            words.push(format!("{}{}", words[at], letters[at % 3]));
            words.push(format!("{}{}", letters[at * 7 % 3], words[at]));
        }
        words.extend((1..60).map(|length| "x".repeat(length)));
        words.sort();
        words.dedup();
        let tokens = |at: usize| (0..at % 6).map(|part| Token((at * 8 + part) as u32)).collect::<Vec<_>>();
        let mut recent = Recent::default();
        (0..BEFORE).for_each(|_| recent.put("before", &[]));
        let mut known = 0;
        for _ in 0..2 {
            for (at, word) in words.iter().enumerate() {
                let mut out = Vec::new();
                if recent.get(word, &mut out) {
                    assert_eq!(out, tokens(at), "{word:?}");
                    known += 1;
                } else {
                    recent.put(word, &tokens(at));
                    // It is there, if it may be.
                    assert_eq!(recent.get(word, &mut out), word.len() <= LONGEST, "{word:?}");
                    assert!(out.is_empty() || out == tokens(at));
                }
            }
        }
        assert!(known > words.len() / 2, "{known} of {}", words.len());
    }
}
