//! `PLaMo` 2's tokens: the cheapest way to cut a text, found from its end.

use trillm_core::Token;
use trillm_formats::gguf::{TokenType, Vocabulary as File};

use super::texts::is_in_texts;
use crate::Result;
use crate::endings::Endings;
use crate::shortage::Shortage;
use crate::vocabulary::Vocabulary;

/// The score from which on a token is never taken, and that of a character without one.
const INVALID: i32 = -20_000_000;
const UNKNOWN: i32 = -10_000_000;

pub(super) struct Plamo {
    /// Tokens from their ends.
    tokens: Endings,
    scores: Vec<i32>,
    bytes: Vec<Option<u32>>,
}

impl Plamo {
    pub(super) fn new(file: &File<'_>, vocabulary: &Vocabulary) -> Result<Self> {
        let score = |id: usize| match file.scores.get(id) {
            None => 0,
            Some(score) if score.is_finite() => (f64::from(*score) * 1e4).round() as i32,
            Some(_) => INVALID,
        };
        let scores: Vec<i32> = (0..file.words.len()).map(score).collect();
        let taken = |id: &usize| {
            let is_text = file.types[*id] != TokenType::Byte && is_in_texts(file, *id);
            is_text && scores[*id] > INVALID && str::from_utf8(&file.words[*id]).is_ok()
        };
        let backwards = |id: usize| (file.words[id].iter().rev().copied().collect::<Vec<u8>>(), id as u32);
        let tokens = (0..file.words.len()).filter(taken).map(backwards).collect();
        Ok(Self { tokens: Endings::new(tokens)?, scores, bytes: vocabulary.byte_tokens() })
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, text: &str, shortage: &mut Shortage, out: &mut Vec<Token>) {
        if !shortage.spares(text) {
            return;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // The cost of the rest from each place on, its first token, and where that ends.
        let mut best = vec![(i64::MAX, None, 0); text.len() + 1];
        best[text.len()].0 = 0;
        let mut node = 0;
        for (at, character) in text.char_indices().rev() {
            let behind = at + character.len_utf8();
            node = text.as_bytes()[at..behind].iter().rev().fold(node, |node, &byte| self.tokens.step(node, byte));
            let mut try_out = |end: usize, token, score: i32| {
                let cost = best[end].0 - i64::from(score);
                if cost < best[at].0 {
                    best[at] = (cost, token, end as u32);
                }
            };
            for (length, token) in self.tokens.at(node) {
                try_out(at + length, Some(token), self.scores[token as usize]);
            }
            try_out(behind, None, UNKNOWN);
        }
        let mut at = 0;
        while at < text.len() {
            let (_, token, end) = best[at];
            if let Some(id) = token {
                out.push(Token(id));
            } else {
                let bytes = text.as_bytes()[at..end as usize].iter();
                out.extend(bytes.filter_map(|&byte| self.bytes[usize::from(byte)]).map(Token));
            }
            at = end as usize;
        }
    }
}
