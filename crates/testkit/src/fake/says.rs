//! What the fake model predicts.

use trillm_core::Token;

use super::cache::State;
use super::tokenizer::{EOS, VOCABULARY, tokens};

/// What a fake model says. In every case the scores are a pure function of the tokens before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Says {
    /// Lower-case letters and spaces, without end.
    Letters,
    /// Any bytes, rarely valid UTF-8, without end.
    Bytes,
    /// Any bytes, letters and control tokens; about one token in eighty ends it.
    Whims,
    /// This text, then EOS. Control tokens written in it are those tokens.
    ///
    /// It finds its place by what the text so far ends with, so that it survives preemption; a prompt should therefore
    /// not end with the beginning of it.
    Text(String),
}

/// [`Says`], made ready for one session.
pub(super) struct Voice {
    /// Added to a token's random score.
    base: Vec<f32>,
    script: Option<Script>,
}

struct Script {
    tokens: Vec<Token>,
    /// For each length of a match the next shorter one (Knuth, Morris, Pratt).
    shorter: Vec<u32>,
}

/// Scores of tokens that may come lie in 0..8, of all others in -40..-32: out of reach of a sampler at temperature 1.
const SPREAD: f32 = 8.0;
const NEVER: f32 = -40.0;
/// The score of a script's token.
const CERTAIN: f32 = 12.0;

impl Voice {
    pub(super) fn new(says: &Says, vocabulary: u32) -> Self {
        let may_come = |id: u32| match says {
            Says::Letters => id == u32::from(b' ') || (u32::from(b'a')..=u32::from(b'z')).contains(&id),
            Says::Bytes => id < 256,
            Says::Whims => id < VOCABULARY,
            Says::Text(_) => false,
        };
        let base = (0..vocabulary).map(|id| if may_come(id) { 0.0 } else { NEVER }).collect();
        let script = match says {
            Says::Text(text) => Some(Script::new(tokens(text, true))),
            _ => None,
        };
        Self { base, script }
    }

    /// The state of the cell for `token`, after `state`.
    pub(super) fn advance(&self, state: State, token: Token) -> State {
        let matched = self.script.as_ref().map_or(0, |script| script.advance(state.matched, token));
        State { hash: state.next_hash(token.0), matched }
    }

    /// Appends the scores after `state`.
    pub(super) fn score(&self, state: State, out: &mut Vec<f32>) {
        let begin = out.len();
        // Two halves of 32 bits, so that the compiler can do many tokens in one vector.
        let (low, high) = (state.hash as u32, (state.hash >> 32) as u32);
        out.extend(self.base.iter().zip(0u32..).map(|(base, id)| {
            let mut bits = low ^ id.wrapping_mul(0x9e37_79b9);
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b) ^ high;
            bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
            base + ((bits ^ (bits >> 16)) >> 8) as f32 * (SPREAD / 16_777_216.0)
        }));
        if let Some(script) = &self.script {
            let token = script.tokens.get(state.matched as usize).copied().unwrap_or(EOS);
            out[begin + token.0 as usize] = CERTAIN;
        }
    }
}

impl Script {
    fn new(tokens: Vec<Token>) -> Self {
        let mut script = Self { shorter: vec![0], tokens };
        let mut matched = 0;
        for index in 1..script.tokens.len() {
            let token = script.tokens[index];
            matched = script.advance(matched, token);
            script.shorter.push(matched);
        }
        script
    }

    /// How much of the script a text ends with that ended with `matched` tokens of it, and then `token`.
    fn advance(&self, mut matched: u32, token: Token) -> u32 {
        loop {
            if self.tokens.get(matched as usize) == Some(&token) {
                return matched + 1;
            }
            if matched == 0 {
                return 0;
            }
            matched = self.shorter[matched as usize - 1];
        }
    }
}
