//! The unigram model of SentencePiece: of all ways to cut a text into tokens, the one with the best sum of scores.
//!
//! Of ways with the same sum, the one whose last token is longest counts, as in SentencePiece and in the library.

use trillm_core::Token;

use crate::Result;
use crate::barred::bars;
use crate::endings::Endings;
use crate::recent::Recent;
use crate::shortage::Shortage;
use crate::words::{are_apart, words};

/// What an unknown character costs beyond the worst token.
pub(crate) const PENALTY: f64 = 10.0;

pub(crate) struct Unigram {
    tokens: Endings,
    scores: Vec<f64>,
    /// Stands for characters without a token, one for all in a row.
    unknown: Option<u32>,
    unknown_score: f64,
    /// The tokens of single bytes, which stand for characters without a token; empty where that is not wanted.
    bytes: Vec<Option<u32>>,
    /// Whether no token reaches over the beginning of a word.
    apart: bool,
}

/// Room that is used again from word to word.
#[derive(Default)]
pub(crate) struct Room {
    best: Vec<Best>,
    /// Whether what came before ended with the unknown token.
    unknown: bool,
}

/// The best way to a place in a word: its last token, where that begins, and the sum.
#[derive(Clone, Copy)]
struct Best {
    token: u32,
    start: u32,
    score: f64,
}

/// The token of an unknown character.
const NONE: u32 = u32::MAX;

/// No way leads here yet.
const NOWHERE: u32 = u32::MAX;

impl Unigram {
    /// A model of these tokens; `scores` has one for each id.
    pub(crate) fn new<T: AsRef<[u8]>>(
        tokens: Vec<(T, u32)>,
        scores: Vec<f64>,
        unknown: Option<u32>,
        unknown_score: f64,
        bytes: Vec<Option<u32>>,
    ) -> Result<Self> {
        let spelled = bytes.is_empty() || bytes.iter().all(Option::is_some);
        let apart = spelled && are_apart(tokens.iter().map(|(text, _)| text.as_ref()));
        Ok(Self { tokens: Endings::new(tokens)?, scores, unknown, unknown_score, bytes, apart })
    }

    /// Whether something stands for characters without a token.
    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    /// Appends the tokens of a text whose spaces are written `▁`. Characters without any are left out, and then it gives
    /// `false`. None is one that is `barred`, but for characters that have no other.
    pub(crate) fn encode(
        &self,
        text: &str,
        barred: &[Token],
        room: &mut Room,
        recent: &mut Recent,
        shortage: &mut Shortage,
        out: &mut Vec<Token>,
    ) -> bool {
        room.unknown = false;
        words(text, self.apart).fold(true, |whole, word| {
            if recent.get(word, out) {
                room.unknown = false;
                return whole;
            }
            if !shortage.spares(word) {
                return whole;
            }
            let start = out.len();
            let known = self.word(word, barred, room, out);
            // What an unknown character becomes depends on what came before.
            if known {
                recent.put(word, &out[start..]);
            }
            whole && (known || self.has_unknown())
        })
    }

    /// Gives whether every character was part of a token.
    fn word(&self, word: &str, barred: &[Token], Room { best, unknown }: &mut Room, out: &mut Vec<Token>) -> bool {
        best.clear();
        best.resize(word.len() + 1, Best { token: NONE, start: NOWHERE, score: 0.0 });
        let mut node = 0;
        let mut known = true;
        for (start, character) in word.char_indices() {
            let end = start + character.len_utf8();
            node = word.as_bytes()[start..end].iter().fold(node, |node, &byte| self.tokens.step(node, byte));
            let mut found = best[end];
            let mut is_token = false;
            let mut try_out = |token: u32, start: usize, score: f64| {
                let score = best[start].score + score;
                if found.start == NOWHERE || score > found.score {
                    found = Best { token, start: start as u32, score };
                }
            };
            let has_bytes = || word[start..end].bytes().all(|byte| self.byte(byte).is_some());
            for (length, token) in self.tokens.at(node) {
                // A character may have no other way.
                if bars(barred, token) && (length > end - start || has_bytes()) {
                    continue;
                }
                is_token |= length == end - start;
                try_out(token, end - length, self.scores[token as usize]);
            }
            if !is_token {
                try_out(NONE, start, self.unknown_score);
                known &= found.token != NONE;
            }
            best[end] = found;
        }

        let first = out.len();
        let mut at = word.len();
        // The end of the characters without a token that begin here.
        let mut behind = None;
        while at > 0 {
            let Best { token, start, .. } = best[at];
            if token == NONE || Some(token) == self.unknown {
                known = false;
                behind = behind.or(Some(at));
            } else {
                self.spell_backwards(&word[at..behind.take().unwrap_or(at)], out);
                out.push(Token(token));
            }
            at = start as usize;
        }
        self.spell_backwards(&word[..behind.unwrap_or(0)], out);
        out[first..].reverse();
        if known {
            *unknown = false;
            return true;
        }
        // Unknown tokens in a row are one.
        let mut kept = first;
        for at in first..out.len() {
            let again = std::mem::replace(unknown, out[at].0 == NONE) && *unknown;
            if !again && (out[at].0 != NONE || self.has_unknown()) {
                out[kept] = Token(if *unknown { self.unknown.unwrap_or(NONE) } else { out[at].0 });
                kept += 1;
            }
        }
        out.truncate(kept);
        false
    }

    /// The token of a byte.
    fn byte(&self, byte: u8) -> Option<u32> {
        self.bytes.get(usize::from(byte)).copied().flatten()
    }

    /// Appends what stands for characters without a token, backwards: their bytes, or [`NONE`] for all of them.
    fn spell_backwards(&self, text: &str, out: &mut Vec<Token>) {
        let bytes = text.bytes().rev().map(|byte| self.byte(byte));
        if bytes.clone().all(|byte| byte.is_some()) {
            out.extend(bytes.flatten().map(Token));
        } else {
            out.push(Token(NONE));
        }
    }
}
