//! The tokens seen so far, and what they cost.

use std::collections::VecDeque;

use trillm_core::{Result, SamplingParams, Token, memory};

/// Distinct tokens that are counted without allocating: more than most requests generate.
const ROOM: usize = 1024;

/// Logit bias, and the tokens that the penalties look at.
pub(crate) struct History {
    bias: Vec<(Token, f32)>,
    repetition: f32,
    presence: f32,
    frequency: f32,
    /// Prompt and generated tokens, the last `limit` of them; empty unless there is a repetition penalty.
    window: VecDeque<Token>,
    limit: usize,
    recent: Tally,
    /// Empty unless there is a presence or frequency penalty.
    generated: Tally,
}

impl History {
    pub(crate) fn new(params: &SamplingParams, prompt: &[Token], what: &str) -> Result<Self> {
        let repeats = (params.repetition_penalty - 1.0).abs() > 0.0;
        let counts = params.presence_penalty.abs() > 0.0 || params.frequency_penalty.abs() > 0.0;
        let mut history = Self {
            bias: Vec::new(),
            repetition: params.repetition_penalty,
            presence: params.presence_penalty,
            frequency: params.frequency_penalty,
            window: VecDeque::new(),
            limit: if repeats { params.repeat_last_n as usize } else { 0 },
            recent: Tally::default(),
            generated: Tally::default(),
        };
        memory::reserve(&mut history.bias, params.logit_bias.len(), what)?;
        history.bias.extend_from_slice(&params.logit_bias);
        if history.limit > 0 {
            let room = history.limit.min(prompt.len() + ROOM) + 1;
            history.window.try_reserve(room).map_err(|_| memory::none::<Token>(room, what))?;
            memory::reserve(&mut history.recent.0, room, what)?;
        }
        if counts {
            memory::reserve(&mut history.generated.0, ROOM, what)?;
        }
        for &token in &prompt[prompt.len().saturating_sub(history.limit)..] {
            history.remember(token);
        }
        Ok(history)
    }

    /// Whether [`edit`](Self::edit) may ever change anything.
    pub(crate) fn may_edit(&self) -> bool {
        self.limit > 0 || self.presence.abs() > 0.0 || self.frequency.abs() > 0.0 || !self.bias.is_empty()
    }

    /// Whether [`edit`](Self::edit) would change anything.
    pub(crate) fn edits(&self) -> bool {
        !(self.bias.is_empty() && self.recent.0.is_empty() && self.generated.0.is_empty())
    }

    /// Applies bias, then the repetition penalty, then presence and frequency penalties.
    pub(crate) fn edit(&self, scores: &mut [f32]) {
        for &(token, bias) in &self.bias {
            if let Some(score) = scores.get_mut(token.0 as usize) {
                // Not added: plus and minus infinity would make NaN, and what is forbidden stays so.
                *score = if bias == f32::NEG_INFINITY { bias } else { *score + bias };
            }
        }
        for &(token, _) in &self.recent.0 {
            if let Some(score) = scores.get_mut(token.0 as usize) {
                *score = if *score > 0.0 { *score / self.repetition } else { *score * self.repetition };
            }
        }
        for &(token, count) in &self.generated.0 {
            if let Some(score) = scores.get_mut(token.0 as usize) {
                *score -= self.presence + self.frequency * count as f32;
            }
        }
    }

    /// Takes note of a generated token.
    pub(crate) fn push(&mut self, token: Token) {
        if self.presence.abs() > 0.0 || self.frequency.abs() > 0.0 {
            self.generated.add(token);
        }
        if self.limit > 0 {
            self.remember(token);
        }
    }

    fn remember(&mut self, token: Token) {
        if self.window.len() == self.limit
            && let Some(oldest) = self.window.pop_front()
        {
            self.recent.remove(oldest);
        }
        self.window.push_back(token);
        self.recent.add(token);
    }
}

/// How often each token occurs, ordered by token. Distinct tokens are few, so moving them beats hashing them.
#[derive(Default)]
struct Tally(Vec<(Token, u32)>);

impl Tally {
    fn add(&mut self, token: Token) {
        match self.0.binary_search_by_key(&token, |entry| entry.0) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (token, 1)),
        }
    }

    fn remove(&mut self, token: Token) {
        if let Ok(at) = self.0.binary_search_by_key(&token, |entry| entry.0) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }
}
