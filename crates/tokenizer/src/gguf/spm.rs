//! SentencePiece's byte-pair encoding: two neighbours join if what they spell is a token, the best score first.

use trillm_core::Token;

use crate::barred::bars;
use crate::bpe::{Bpe, Reached};
use crate::merge::{Join, Symbol, Without, merge};
use crate::merges::Merge;
use crate::scratch::Scratch;
use crate::vocabulary::Vocabulary;
use crate::words::words;

/// The id of a character that is no token.
const NONE: u32 = u32::MAX;

pub(super) struct Spm {
    /// Smaller for better scores.
    ranks: Vec<u32>,
    /// The tokens of single bytes.
    bytes: Vec<Option<u32>>,
    /// Stands for characters without a token where bytes have none either.
    unknown: Option<u32>,
    reached: Reached,
    /// The tokens of the first characters of Unicode.
    singles: Vec<Option<u32>>,
    /// Whether no token reaches over the beginning of a word.
    apart: bool,
}

impl Spm {
    pub(super) fn new(scores: &[f32], vocabulary: &Vocabulary, unknown: Option<u32>, apart: bool) -> Self {
        let mut ranks: Vec<u32> = scores.iter().copied().map(rank).collect();
        ranks.resize(vocabulary.len() as usize, rank(0.0));
        Self {
            ranks,
            bytes: vocabulary.byte_tokens(),
            unknown,
            reached: Reached::new(vocabulary.len()),
            singles: Bpe::singles(vocabulary),
            apart,
        }
    }

    /// Appends the tokens of a text whose spaces are written `▁`.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        let mut unknown = false;
        for word in words(text, self.apart) {
            self.word(vocabulary, word, scratch, &mut unknown, out);
        }
    }

    /// `unknown` says whether what came before ended with the unknown token: such tokens in a row are one.
    fn word(
        &self,
        vocabulary: &Vocabulary,
        word: &str,
        scratch: &mut Scratch,
        unknown: &mut bool,
        out: &mut Vec<Token>,
    ) {
        if scratch.recent.get(word, out) {
            *unknown = false;
            return;
        }
        let start = out.len();
        let known = vocabulary.id(word);
        if let Some(id) = known.filter(|&id| self.reached.get(id) && !scratch.bars(id)) {
            *unknown = false;
            out.push(Token(id));
            return scratch.recent.put(word, &out[start..]);
        }
        if !scratch.shortage.spares(word) {
            return;
        }
        let scores = Scores { spm: self, vocabulary, word: word.as_bytes() };
        self.symbols(vocabulary, word, scratch);
        merge(&scores, &mut scratch.symbols, word.len(), &mut scratch.room);
        if let ([symbol], Some(id)) = (&scratch.symbols[..], known)
            && symbol.id == id
        {
            self.reached.set(id);
        }
        // Only then: other words may come about through such a token.
        if scratch.symbols.iter().any(|symbol| scratch.bars(symbol.id)) {
            self.symbols(vocabulary, word, scratch);
            let without = Without { joins: &scores, barred: scratch.barred };
            merge(&without, &mut scratch.symbols, word.len(), &mut scratch.room);
        }
        let symbols = &scratch.symbols;
        for (at, symbol) in symbols.iter().enumerate() {
            if symbol.id != NONE {
                *unknown = false;
                out.push(Token(symbol.id));
                continue;
            }
            let end = symbols.get(at + 1).map_or(word.len(), |next| next.start as usize);
            let bytes = word.as_bytes()[symbol.start as usize..end].iter().map(|&byte| self.bytes[usize::from(byte)]);
            if bytes.clone().all(|token| token.is_some()) {
                *unknown = false;
                out.extend(bytes.flatten().map(Token));
            } else if let Some(id) = self.unknown.filter(|_| !*unknown) {
                *unknown = true;
                out.push(Token(id));
            }
        }
        // What an unknown character becomes depends on what came before.
        if symbols.iter().all(|symbol| symbol.id != NONE) {
            scratch.recent.put(word, &out[start..]);
        }
    }

    /// The tokens of single characters.
    fn symbols(&self, vocabulary: &Vocabulary, word: &str, scratch: &mut Scratch) {
        let Scratch { symbols, barred, .. } = scratch;
        symbols.clear();
        let mut last = ('\0', None);
        symbols.extend(word.char_indices().map(|(at, character)| {
            let id = match self.singles.get(character as usize) {
                Some(&id) => id,
                None if last.0 == character => last.1,
                None => vocabulary.id(&word[at..at + character.len_utf8()]),
            };
            last = (character, id);
            let has_bytes =
                || character.encode_utf8(&mut [0; 4]).bytes().all(|byte| self.bytes[usize::from(byte)].is_some());
            let id = id.filter(|&id| !(bars(barred, id) && has_bytes()));
            Symbol { id: id.unwrap_or(NONE), start: at as u32 }
        }));
    }
}

/// Numbers that are in the opposite order of scores; none is the largest, which means "nothing" to merging.
fn rank(score: f32) -> u32 {
    // Zero has two signs and one place.
    let bits = (score + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (!ordered).min(u32::MAX - 1)
}

/// What may join in one word.
struct Scores<'a> {
    spm: &'a Spm,
    vocabulary: &'a Vocabulary,
    word: &'a [u8],
}

impl Join for Scores<'_> {
    fn join(&self, first: Symbol, _: Symbol, end: u32) -> Option<Merge> {
        let result = self.vocabulary.id_of(&self.word[first.start as usize..end as usize])?;
        Some(Merge { rank: self.spm.ranks[result as usize], result })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_scores_come_first() {
        let scores = [f32::INFINITY, 3.5, 0.0, -0.0, -1e-9, -7.0, f32::NEG_INFINITY];
        let ranks = scores.map(rank);
        assert!(ranks.is_sorted() && ranks[2] == ranks[3] && ranks[6] < u32::MAX, "{ranks:?}");
    }
}
