//! What a caller asks for, before and after it was checked.

use std::time::Instant;

use crate::{Error, Result, Token};

/// How the next token is chosen. The defaults are plain sampling: temperature 1, nothing cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Divides the scores; 0 takes the most probable token. 0 to 100, default 1.
    pub temperature: f32,
    /// Keep the `k` most probable tokens; 0 keeps all. Default 0.
    pub top_k: u32,
    /// Keep the most probable tokens that add up to this probability. 0 to 1, default 1.
    pub top_p: f32,
    /// Drop tokens less probable than this share of the most probable. 0 to 1, default 0.
    pub min_p: f32,
    /// Locally typical sampling (Meister et al. 2022): probability mass to keep. 0 to 1, default 1.
    pub typical_p: f32,
    /// Divides positive and multiplies negative scores of tokens seen in the last `repeat_last_n`. Above 0, default 1.
    pub repetition_penalty: f32,
    /// Subtracted once from the score of every token generated before. -2 to 2, default 0.
    pub presence_penalty: f32,
    /// Subtracted from a token's score as often as it was generated. -2 to 2, default 0.
    pub frequency_penalty: f32,
    /// How many of the last tokens, prompt included, the repetition penalty looks at. Default 64.
    pub repeat_last_n: u32,
    /// Added to the score of a token; minus infinity forbids it.
    pub logit_bias: Vec<(Token, f32)>,
    /// Seeds this request's own random numbers; `None` takes a fresh one.
    pub seed: Option<u64>,
    /// How many most probable tokens to report for each; `None` reports nothing, 0 only the chosen. At most 20.
    pub logprobs: Option<u32>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            typical_p: 1.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            repeat_last_n: 64,
            logit_bias: Vec::new(),
            seed: None,
            logprobs: None,
        }
    }
}

/// What a caller asks for, apart from the prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The most tokens to generate; `None` takes as many as fit: it goes on until the model ends or the context is full.
    pub max_tokens: Option<u32>,
    /// Generation ends before any of these. At most 16, none empty or longer than 65,536 bytes.
    pub stop: Vec<String>,
    /// Go on past the model's own end tokens.
    pub ignore_eos: bool,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Higher runs first; equal ones in order of arrival. Default 0.
    pub priority: i32,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Prompts with different salts never share cached prefixes. Default 0.
    pub cache_salt: u64,
}

/// A request that was checked and tokenised: the only thing that enters a queue.
#[derive(Clone, Debug)]
pub struct Ready {
    prompt: Vec<Token>,
    max_tokens: u32,
    request: Request,
}

impl Request {
    /// Stop strings allowed in one request.
    pub const MAX_STOP: usize = 16;
    /// Bytes of the longest stop string.
    pub const LONGEST_STOP: usize = 1 << 16;
    /// Most probable tokens that may be reported.
    pub const MAX_LOGPROBS: u32 = 20;

    /// Checks this request and its `prompt` against a context of `context` tokens and a vocabulary.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`] if it cannot fit (nothing is ever cut off), [`Error::InvalidParameter`] otherwise.
    pub fn prepare(self, prompt: Vec<Token>, context: u32, vocabulary: u32) -> Result<Ready> {
        self.check(vocabulary)?;
        if prompt.is_empty() {
            return invalid("prompt", "empty", "at least one token");
        }
        if let Some(&Token(token)) = prompt.iter().find(|token| token.0 >= vocabulary) {
            return Err(Error::NoEmbedding { name: "prompt", token, rows: vocabulary });
        }
        let room = (context as usize).checked_sub(prompt.len()).filter(|&room| room > 0);
        match (room, self.max_tokens) {
            (Some(room), None) => Ok(Ready { prompt, max_tokens: room as u32, request: self }),
            (Some(room), Some(max_tokens)) if max_tokens as usize <= room => {
                Ok(Ready { prompt, max_tokens, request: self })
            }
            (_, max_tokens) => Err(Error::ContextOverflow { prompt: prompt.len(), max_tokens, context }),
        }
    }

    pub(crate) fn check(&self, vocabulary: u32) -> Result<()> {
        let s = &self.sampling;
        within("temperature", s.temperature, 0.0..=100.0, "0 to 100")?;
        within("top_p", s.top_p, 0.0..=1.0, "0 to 1")?;
        within("min_p", s.min_p, 0.0..=1.0, "0 to 1")?;
        within("typical_p", s.typical_p, 0.0..=1.0, "0 to 1")?;
        within("repetition_penalty", s.repetition_penalty, 0.01..=100.0, "0.01 to 100")?;
        within("presence_penalty", s.presence_penalty, -2.0..=2.0, "-2 to 2")?;
        within("frequency_penalty", s.frequency_penalty, -2.0..=2.0, "-2 to 2")?;
        if let Some(n) = s.logprobs.filter(|&n| n > Self::MAX_LOGPROBS) {
            return invalid("logprobs", n, "0 to 20");
        }
        if let Some((token, _)) = s.logit_bias.iter().find(|(token, _)| token.0 >= vocabulary) {
            return invalid("logit_bias", format!("token {}", token.0), "token ids of this model's vocabulary");
        }
        if let Some((_, bias)) = s.logit_bias.iter().find(|(_, bias)| bias.is_nan() || *bias == f32::INFINITY) {
            return invalid("logit_bias", bias, "a number or minus infinity");
        }
        if self.max_tokens == Some(0) {
            return invalid("max_tokens", 0, "at least 1");
        }
        if self.stop.len() > Self::MAX_STOP {
            return invalid("stop", format!("{} strings", self.stop.len()), "at most 16 strings");
        }
        if let Some(long) = self.stop.iter().find(|stop| stop.len() > Self::LONGEST_STOP) {
            return invalid("stop", format!("a string of {} bytes", long.len()), "strings of at most 65536 bytes");
        }
        if self.stop.iter().any(String::is_empty) {
            return invalid("stop", "an empty string", "strings of at least one character");
        }
        Ok(())
    }
}

impl Ready {
    /// The tokens to start from: at least one.
    pub fn prompt(&self) -> &[Token] {
        &self.prompt
    }

    /// The most tokens to generate; with the prompt they fit the context.
    pub fn max_tokens(&self) -> u32 {
        self.max_tokens
    }

    /// What was asked for.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

fn within(name: &'static str, value: f32, range: std::ops::RangeInclusive<f32>, expected: &'static str) -> Result<()> {
    if range.contains(&value) { Ok(()) } else { invalid(name, value, expected) }
}

fn invalid<T>(name: &'static str, found: impl std::fmt::Display, expected: &'static str) -> Result<T> {
    Err(Error::InvalidParameter { name, found: found.to_string(), expected })
}
