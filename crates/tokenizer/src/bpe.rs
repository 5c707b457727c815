//! Byte-pair encoding of one word, token for token as the library `tokenizers` does it.
//!
//! Most words of ordinary text are tokens. Whether merging leads to such a token is tried out when it first comes, and
//! remembered in a bit.

use std::sync::atomic::{AtomicU8, Ordering};

use trillm_core::Token;

use crate::alphabet;
use crate::barred::bars;
use crate::merge::{Join, Symbol, Without, merge};
use crate::merges::{Merge, Merges, Spare};
use crate::scratch::Scratch;
use crate::vocabulary::Vocabulary;
use crate::words::{SPACE, are_apart, words};

/// The model of most decoders.
pub(crate) struct Bpe {
    pub(crate) merges: Merges,
    /// Texts beyond the vocabulary that merges go through.
    pub(crate) spare: Spare,
    /// Stands for characters without a token. Without it they are left out.
    pub(crate) unknown: Option<u32>,
    /// Characters without a token that follow one another become one unknown token.
    pub(crate) fuse_unknown: bool,
    /// The tokens of single bytes, which stand for characters without a token; empty where that is not wanted.
    pub(crate) bytes: Vec<Option<u32>>,
    /// A word that is a token is that token, whatever its merges say.
    pub(crate) ignore_merges: bool,
    /// What every token but the first of a word begins with.
    pub(crate) prefix: String,
    /// What the last token of a word ends with.
    pub(crate) suffix: String,
    pub(crate) reached: Reached,
    /// The tokens of the first characters of Unicode, GPT-2's alphabet among them.
    pub(crate) singles: Vec<Option<u32>>,
    /// Words begin with a sign for a space, and no merge reaches over one: they may be looked at one by one.
    pub(crate) apart: bool,
}

/// Which tokens merging is known to lead to.
#[derive(Default)]
pub(crate) struct Reached(Vec<AtomicU8>);

impl Reached {
    pub(crate) fn new(tokens: u32) -> Self {
        Self((0..tokens.div_ceil(8)).map(|_| AtomicU8::new(0)).collect())
    }

    pub(crate) fn get(&self, id: u32) -> bool {
        // What is found is the same whoever finds it, so order does not matter.
        self.0.get(id as usize / 8).is_some_and(|eight| eight.load(Ordering::Relaxed) >> (id % 8) & 1 == 1)
    }

    pub(crate) fn set(&self, id: u32) {
        if let Some(eight) = self.0.get(id as usize / 8) {
            eight.fetch_or(1 << (id % 8), Ordering::Relaxed);
        }
    }
}

impl Join for Merges {
    fn join(&self, first: Symbol, second: Symbol, _: u32) -> Option<Merge> {
        self.get(first.id, second.id)
    }
}

impl Bpe {
    /// The tokens of the first characters of Unicode.
    pub(crate) fn singles(vocabulary: &Vocabulary) -> Vec<Option<u32>> {
        ('\0'..'\u{180}').map(|character| vocabulary.id(character.encode_utf8(&mut [0; 4]))).collect()
    }

    /// Whether words begin with a sign for a space, and no merge reaches over one.
    pub(crate) fn are_apart(vocabulary: &Vocabulary, merges: &Merges, spare: &Spare) -> bool {
        let results = || merges.results().map(|id| vocabulary.spelling(id));
        spare.is_empty() && vocabulary.id(SPACE).is_some() && are_apart(results())
    }

    /// Appends the tokens of one word, or of all in a text if the model has no other way to tell them apart.
    pub(crate) fn encode(&self, vocabulary: &Vocabulary, text: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        words(text, self.apart).for_each(|word| {
            if scratch.recent.get(word, out) {
                return;
            }
            let start = out.len();
            if !self.known(vocabulary, word, scratch, out) {
                self.merged(vocabulary, word, scratch, out);
            }
            scratch.recent.put(word, &out[start..]);
        });
    }

    /// Appends the tokens of one word of a text whose tokens are spelled in GPT-2's alphabet.
    pub(crate) fn encode_bytes(
        &self,
        vocabulary: &Vocabulary,
        word: &str,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) {
        if scratch.recent.get(word, out) {
            return;
        }
        let start = out.len();
        let mut spelled = std::mem::take(&mut scratch.spelled);
        alphabet::spell(word, &mut spelled);
        if !self.known(vocabulary, &spelled, scratch, out) {
            self.merged(vocabulary, &spelled, scratch, out);
        }
        scratch.spelled = spelled;
        scratch.recent.put(word, &out[start..]);
    }

    /// Appends a word that is a token, if merging is known to lead to it.
    fn known(&self, vocabulary: &Vocabulary, word: &str, scratch: &Scratch, out: &mut Vec<Token>) -> bool {
        let plain = self.prefix.is_empty() && self.suffix.is_empty();
        if !plain && !self.ignore_merges {
            return false;
        }
        let known = vocabulary.id(word);
        let known = known.filter(|&id| (self.ignore_merges || self.reached.get(id)) && !scratch.bars(id));
        out.extend(known.map(Token));
        known.is_some()
    }

    /// Appends what merging leads to.
    fn merged(&self, vocabulary: &Vocabulary, word: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        if !scratch.shortage.spares(word) {
            return;
        }
        let start = out.len();
        self.joined(&self.merges, vocabulary, word, scratch, out);
        if let [symbol] = scratch.symbols[..]
            && vocabulary.id(word) == Some(symbol.id)
        {
            self.reached.set(symbol.id);
        }
        // Only then: merges may lead to other words through such a token.
        if out[start..].iter().any(|token| scratch.bars(token.0)) {
            out.truncate(start);
            let without = Without { joins: &self.merges, barred: scratch.barred };
            self.joined(&without, vocabulary, word, scratch, out);
        }
    }

    /// Appends what joining the characters of a word leads to.
    fn joined(
        &self,
        joins: &impl Join,
        vocabulary: &Vocabulary,
        word: &str,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) {
        self.symbols(vocabulary, word, scratch.barred, &mut scratch.symbols);
        merge(joins, &mut scratch.symbols, word.len(), &mut scratch.room);
        if self.spare.is_empty() {
            out.extend(scratch.symbols.iter().map(|symbol| Token(symbol.id)));
        } else {
            for symbol in &scratch.symbols {
                self.spare.expand(symbol.id, |id| out.push(Token(id)));
            }
        }
    }

    /// The tokens of single characters.
    fn symbols(&self, vocabulary: &Vocabulary, word: &str, barred: &[Token], symbols: &mut Vec<Symbol>) {
        symbols.clear();
        let mut spelled = String::new();
        // Held back until a character with a token comes: bytes that stand for characters go before it, which only
        // matters where some bytes have tokens and others do not. The library does the same.
        let mut unknown = None;
        let is_plain = self.prefix.is_empty() && self.suffix.is_empty();
        for (at, character) in word.char_indices() {
            let mut text = &word[at..at + character.len_utf8()];
            let start = at as u32;
            if !is_plain {
                let (first, last) = (at == 0, at + text.len() == word.len());
                spelled.clear();
                spelled.push_str(if first { "" } else { &self.prefix });
                spelled.push_str(text);
                spelled.push_str(if last { &self.suffix } else { "" });
                text = &spelled;
            }
            let single = match self.singles.get(character as usize).filter(|_| is_plain) {
                Some(&single) => single,
                None => vocabulary.id(text),
            };
            let bytes = text.bytes().map(|byte| self.bytes.get(usize::from(byte)).copied().flatten());
            let has_bytes = || bytes.clone().all(|byte| byte.is_some());
            let single = single.or_else(|| self.spare.id(text));
            if let Some(id) = single.filter(|&id| !(bars(barred, id) && has_bytes())) {
                symbols.extend(unknown.take());
                symbols.push(Symbol { id, start });
                continue;
            }
            if has_bytes() {
                symbols.extend(bytes.flatten().map(|id| Symbol { id, start }));
                continue;
            }
            if !self.fuse_unknown {
                symbols.extend(unknown.take());
            }
            unknown = unknown.or(self.unknown.map(|id| Symbol { id, start }));
        }
        symbols.extend(unknown);
    }
}
