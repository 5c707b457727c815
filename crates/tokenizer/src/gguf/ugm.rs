//! SentencePiece's unigram model: of all ways to cut a text into tokens, the one with the best sum of scores.

use trillm_core::Token;
use trillm_formats::gguf::{TokenType, Vocabulary as File};

use super::charsmap::Charsmap;
use crate::trie::Trie;
use crate::words::{SPACE, are_apart, words};

/// What an unknown character costs beyond the worst token.
const PENALTY: f32 = 10.0;

pub(super) struct Ugm {
    tokens: Trie,
    scores: Vec<f64>,
    unknown: Option<u32>,
    unknown_score: f64,
    charsmap: Charsmap,
    /// A space goes before a text.
    prefix: bool,
    /// Spaces in a row become one, and those around a text are dropped.
    merges_spaces: bool,
    /// Whether no token reaches over the beginning of a word.
    apart: bool,
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

impl Ugm {
    pub(super) fn new(file: &File<'_>) -> Self {
        let score = |id: usize| file.scores.get(id).copied().unwrap_or_default();
        let normal = |id: &usize| file.types[*id] == TokenType::Normal;
        let worst = (0..file.words.len()).filter(normal).map(score).fold(f32::MAX, f32::min);
        let taken = |kind| matches!(kind, TokenType::Normal | TokenType::UserDefined | TokenType::Unused);
        let texts = (0..file.words.len()).filter(|&id| taken(file.types[id]));
        let texts: Vec<(&[u8], u32)> = texts.map(|id| (&*file.words[id], id as u32)).collect();
        let apart = are_apart(texts.iter().map(|&(text, _)| text));
        let scores = (0..file.words.len()).map(|id| match file.types[id] {
            TokenType::UserDefined => 0.0,
            _ => f64::from(score(id)),
        });
        Self {
            tokens: Trie::new(texts),
            scores: scores.collect(),
            unknown: file.special.unknown,
            unknown_score: f64::from(worst - PENALTY),
            charsmap: Charsmap::new(file.charsmap),
            prefix: file.add_space_prefix.unwrap_or(false),
            merges_spaces: file.remove_extra_whitespaces,
            apart,
        }
    }

    /// Whether encoding puts a space before a text.
    pub(super) fn adds_space(&self) -> bool {
        self.prefix || self.merges_spaces
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<Token>) {
        let normalized = self.normalize(text);
        let mut unknown = false;
        let mut best = Vec::new();
        for word in words(&normalized, self.apart) {
            self.word(word, &mut best, &mut unknown, out);
        }
    }

    /// `unknown` says whether what came before ended with the unknown token: such tokens in a row are one.
    fn word(&self, word: &str, best: &mut Vec<Best>, unknown: &mut bool, out: &mut Vec<Token>) {
        best.clear();
        best.resize(word.len() + 1, Best { token: NONE, start: 0, score: f64::MIN });
        best[0].score = 0.0;
        for (at, character) in word.char_indices() {
            let (length, so_far) = (character.len_utf8(), best[at].score);
            let mut is_token = false;
            let mut try_out = |end: usize, token: u32, score: f64| {
                if so_far + score > best[end].score {
                    best[end] = Best { token, start: at as u32, score: so_far + score };
                }
            };
            for (taken, token) in self.tokens.prefixes(&word.as_bytes()[at..]) {
                is_token |= taken == length;
                try_out(at + taken, token, self.scores[token as usize]);
            }
            if !is_token {
                try_out(at + length, NONE, self.unknown_score);
            }
        }
        let start = out.len();
        let mut at = word.len();
        while at > 0 {
            let Best { token, start, .. } = best[at];
            out.push(Token(token));
            at = start as usize;
        }
        out[start..].reverse();
        // What is unknown gets its token, one for all in a row.
        let mut kept = start;
        for at in start..out.len() {
            let is_unknown = out[at].0 == NONE || Some(out[at].0) == self.unknown;
            let skipped = is_unknown && (*unknown || self.unknown.is_none());
            *unknown = is_unknown;
            if !skipped {
                out[kept] = if is_unknown { Token(self.unknown.unwrap_or(NONE)) } else { out[at] };
                kept += 1;
            }
        }
        out.truncate(kept);
    }

    fn normalize(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4 + SPACE.len());
        let (mut prepended, mut in_word) = (false, false);
        self.charsmap.replace(text, |part| {
            for character in part.chars() {
                if character == ' ' {
                    in_word = false;
                    if !self.merges_spaces {
                        out.push_str(SPACE);
                    }
                    continue;
                }
                if !std::mem::replace(&mut in_word, true) && (self.prefix && !prepended || self.merges_spaces) {
                    out.push_str(SPACE);
                    prepended = true;
                }
                out.push(character);
            }
        });
        out
    }
}
