//! `PLaMo` 2's tokens: the cheapest way to cut a text, found from its end by a table of all ends of tokens.
//!
//! The table has a row for each token that an end of a token begins with, longest first, and a last one for "none".
//! Reading a text backwards leads from end to end, as an automaton of Aho and Corasick does.

use std::collections::HashMap;

use trillm_core::Token;
use trillm_formats::gguf::{TokenType, Vocabulary as File};

use super::spm::byte_tokens;
use crate::vocabulary::Vocabulary;

/// The score of an end of a token that is none itself, and of a character without a token.
const INVALID: i32 = -20_000_000;
const UNKNOWN: i32 = -10_000_000;

#[derive(Clone, Copy)]
struct Row {
    /// Characters.
    length: u32,
    token: Option<u32>,
    score: i32,
    /// Where the rows of this text begin.
    piece: u32,
}

pub(super) struct Plamo {
    rows: Vec<Row>,
    /// Where the rows of a text begin, by its first character and where those of the rest begin.
    ends: HashMap<(char, u32), u32>,
    bytes: Vec<Option<u32>>,
}

impl Plamo {
    pub(super) fn new(file: &File<'_>, vocabulary: &Vocabulary) -> Self {
        // All tokens and all ends of tokens, with the token where it is one.
        let mut ends: HashMap<&str, Option<u32>> = HashMap::new();
        for (id, word) in (0..).zip(&file.words) {
            let taken = !matches!(file.types[id as usize], TokenType::Byte | TokenType::Control | TokenType::Unknown);
            let Some(word) = std::str::from_utf8(word).ok().filter(|_| taken) else { continue };
            ends.insert(word, Some(id));
            for (at, _) in word.char_indices().skip(1) {
                ends.entry(&word[at..]).or_insert(None);
            }
        }
        let mut texts: Vec<&str> = ends.keys().copied().chain([""]).collect();
        texts.sort_by(|a, b| a.bytes().rev().cmp(b.bytes().rev()));

        let pieces = |text: &'_ str| {
            let ends = &ends;
            let text = text.to_owned();
            let lengths: Vec<usize> = text.char_indices().map(|(at, character)| at + character.len_utf8()).collect();
            let count = lengths.len();
            let found = lengths.into_iter().rev().enumerate().filter_map(move |(cut, end)| {
                let (&piece, &token) = ends.get_key_value(&text[..end])?;
                Some((piece, token, (count - cut) as u32))
            });
            found.collect::<Vec<_>>()
        };
        let mut starts: HashMap<&str, u32> = HashMap::new();
        let mut by_first = HashMap::new();
        let mut next = 0;
        for &text in &texts {
            starts.insert(text, next);
            if let Some(first) = text.chars().next() {
                // The rest is an end too, and comes before in this order.
                let rest = starts.get(&text[first.len_utf8()..]).copied().unwrap_or_default();
                by_first.insert((first, rest), next);
            }
            next += pieces(text).len() as u32 + 1;
        }
        let mut rows = Vec::with_capacity(next as usize);
        for &text in &texts {
            for (piece, token, length) in pieces(text) {
                let score = token.and_then(|id| file.scores.get(id as usize)).copied();
                let score = match (token, score) {
                    (Some(_), None) => 0,
                    (_, Some(score)) if score.is_finite() => (f64::from(score) * 1e4).round() as i32,
                    _ => INVALID,
                };
                rows.push(Row { length, token, score, piece: starts.get(piece).copied().unwrap_or_default() });
            }
            rows.push(Row { length: 1, token: None, score: UNKNOWN, piece: 0 });
        }
        Self { rows, ends: by_first, bytes: byte_tokens(vocabulary) }
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<Token>) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let characters: Vec<char> = text.chars().collect();
        // The cost of the rest from each place on, and its first token's length and id.
        let mut best = vec![(i64::MAX / 2, 1_u32, None); characters.len()];
        best.push((0, 1, None));
        let mut state = 0;
        for (at, &character) in characters.iter().enumerate().rev() {
            for row in &self.rows[state as usize..] {
                state = self.ends.get(&(character, row.piece)).copied().unwrap_or_default();
                if state > 0 || row.score == UNKNOWN {
                    break;
                }
            }
            for row in &self.rows[state as usize..] {
                let rest = best.get(at + row.length as usize).map_or(i64::MAX / 2, |rest| rest.0);
                if row.score > INVALID && rest - i64::from(row.score) < best[at].0 {
                    best[at] = (rest - i64::from(row.score), row.length, row.token);
                }
                if row.score == UNKNOWN {
                    break;
                }
            }
        }
        let mut at = 0;
        while at < characters.len() {
            let (_, length, token) = best[at];
            if let Some(id) = token {
                out.push(Token(id));
            } else {
                let mut bytes = [0; 4];
                let bytes = characters[at].encode_utf8(&mut bytes).bytes();
                out.extend(bytes.filter_map(|byte| self.bytes[usize::from(byte)]).map(Token));
            }
            at += length as usize;
        }
    }
}
