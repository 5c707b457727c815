//! Byte-pair encoding of one word, token for token as the library `tokenizers` does it.
//!
//! A word begins as its characters; of all neighbours that may merge, those with the lowest rank do, leftmost first,
//! until none is left. A word may be a whole text, as Llama 2 has no pre-tokenizer, so candidates wait in a heap: n
//! characters take n log n steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use trillm_core::Token;

use crate::merges::Merges;
use crate::vocabulary::Vocabulary;

/// The model of most decoders.
pub(crate) struct Bpe {
    pub(crate) merges: Merges,
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
}

/// The end of a word, and the beginning.
const NONE: u32 = u32::MAX;

/// A token of a word that is being merged.
#[derive(Clone, Copy)]
struct Symbol {
    id: u32,
    previous: u32,
    /// [`NONE`] for the last one, and for one that became part of its neighbour.
    next: u32,
}

impl Bpe {
    /// Appends the tokens of one word.
    pub(crate) fn encode(&self, vocabulary: &Vocabulary, word: &str, out: &mut Vec<Token>) {
        if self.ignore_merges
            && let Some(id) = vocabulary.id(word)
        {
            return out.push(Token(id));
        }
        let mut symbols = self.symbols(vocabulary, word);
        self.merge(&mut symbols);
        let mut at = if symbols.is_empty() { NONE } else { 0 };
        while at != NONE {
            let symbol = symbols[at as usize];
            out.push(Token(symbol.id));
            at = symbol.next;
        }
    }

    /// The tokens of single characters.
    fn symbols(&self, vocabulary: &Vocabulary, word: &str) -> Vec<Symbol> {
        let mut ids = Vec::with_capacity(word.len());
        let mut spelled = String::new();
        // Held back until a character with a token comes: bytes that stand for characters go before it, which only
        // matters where some bytes have tokens and others do not. The library does the same.
        let mut unknown = None;
        for (at, character) in word.char_indices() {
            let text = &word[at..at + character.len_utf8()];
            let (first, last) = (at == 0, at + text.len() == word.len());
            spelled.clear();
            spelled.push_str(if first { "" } else { &self.prefix });
            spelled.push_str(text);
            spelled.push_str(if last { &self.suffix } else { "" });
            if let Some(id) = vocabulary.id(&spelled) {
                ids.extend(unknown.take());
                ids.push(id);
                continue;
            }
            let bytes = spelled.bytes().map(|byte| self.bytes.get(usize::from(byte)).copied().flatten());
            if let Some(bytes) = bytes.collect::<Option<Vec<u32>>>() {
                ids.extend(bytes);
                continue;
            }
            if !self.fuse_unknown {
                ids.extend(unknown.take());
            }
            unknown = self.unknown;
        }
        ids.extend(unknown);
        let last = ids.len().wrapping_sub(1) as u32;
        let link = |(at, id): (u32, u32)| Symbol {
            id,
            previous: at.wrapping_sub(1),
            next: if at == last { NONE } else { at + 1 },
        };
        (0..).zip(ids).map(link).collect()
    }

    fn merge(&self, symbols: &mut [Symbol]) {
        let candidate = |symbols: &[Symbol], at: u32| {
            let first = symbols.get(at as usize)?;
            let merge = self.merges.get(first.id, symbols.get(first.next as usize)?.id)?;
            Some(Reverse((merge.rank, at, merge.result)))
        };
        let mut waiting: BinaryHeap<_> = (0..symbols.len() as u32).filter_map(|at| candidate(symbols, at)).collect();
        while let Some(Reverse((_, at, result))) = waiting.pop() {
            // What waits may be outdated: one of the two has become part of another since.
            if candidate(symbols, at).is_none_or(|Reverse((.., now))| now != result) {
                continue;
            }
            let (second, previous) = (symbols[at as usize].next, symbols[at as usize].previous);
            let after = symbols[second as usize].next;
            symbols[second as usize].next = NONE;
            symbols[at as usize].id = result;
            symbols[at as usize].next = after;
            if let Some(after) = symbols.get_mut(after as usize) {
                after.previous = at;
            }
            waiting.extend(candidate(symbols, previous));
            waiting.extend(candidate(symbols, at));
        }
    }
}
