//! The sampler of one request.

use std::hash::{BuildHasher, RandomState};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use trillm_core::{Logprob, SamplingParams, Token, memory};

use crate::candidates::Candidates;
use crate::history::History;
use crate::row::{self, Row};
use crate::{Error, Result};

/// A token that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The token.
    pub token: Token,
    /// If asked for: the token's own log-probability first, then the most probable tokens in order. Natural logarithm,
    /// after bias, penalties and temperature (1 where the temperature is 0), before anything is cut off.
    pub logprobs: Option<Box<[Logprob]>>,
}

/// Chooses the tokens of one request: its parameters, its own random numbers and what it has seen.
///
/// Requests do not touch one another: what one draws depends on its own seed and scores alone.
pub struct Sampler {
    params: SamplingParams,
    vocabulary: usize,
    history: History,
    random: Xoshiro256PlusPlus,
    edited: Vec<f32>,
    maxima: Vec<f32>,
    sums: Vec<f32>,
    candidates: Candidates,
}

impl Sampler {
    /// A sampler for a request whose parameters were checked ([`Request::prepare`](trillm_core::Request::prepare)).
    ///
    /// `prompt` is what the repetition penalty looks back at. Random numbers are Xoshiro256++'s, seeded through
    /// `SplitMix64`: the algorithm is part of the contract, so a seed keeps its meaning from version to version.
    ///
    /// # Errors
    /// [`OutOfMemory`](trillm_core::Error::OutOfMemory): a sampler has room for as much as a vocabulary, or a context.
    pub fn new(params: &SamplingParams, prompt: &[Token], vocabulary: u32) -> trillm_core::Result<Self> {
        const WHAT: &str = "the sampler of a request";
        // The standard library's hash keys are random for each process and differ for each call.
        let seed = params.seed.unwrap_or_else(|| RandomState::new().hash_one(0_u64));
        let vocabulary = vocabulary as usize;
        let mut candidates = Candidates::default();
        let blocks = vocabulary.div_ceil(row::BLOCK);
        let listed = params.logprobs.unwrap_or(0).max(params.top_k) as usize;
        let count = match (params.top_k, params.typical_p < 1.0) {
            (0, true) => vocabulary,
            _ if listed > 0 => listed.saturating_mul(2).min(vocabulary).max(blocks),
            _ => 0,
        };
        candidates.reserve(count, WHAT)?;
        let history = History::new(params, prompt, WHAT)?;
        let (mut edited, mut maxima, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        memory::reserve(&mut edited, if history.may_edit() { vocabulary } else { 0 }, WHAT)?;
        memory::reserve(&mut maxima, blocks, WHAT)?;
        memory::reserve(&mut sums, blocks, WHAT)?;
        Ok(Self {
            // The history has the list.
            params: SamplingParams { logit_bias: Vec::new(), ..*params },
            vocabulary,
            history,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            edited,
            maxima,
            sums,
            candidates,
        })
    }

    /// Chooses a token from a row of raw scores, and takes note of it.
    ///
    /// Scores past the vocabulary (some models pad their rows) are not looked at. Scores of plus infinity share all
    /// the probability between them.
    ///
    /// # Errors
    /// [`Error::NotANumber`] and [`Error::NothingAllowed`] when there is nothing to choose from; [`Error::Row`] when
    /// the row is shorter than the vocabulary.
    pub fn sample(&mut self, logits: &[f32]) -> Result<Sampled> {
        let Some(raw) = logits.get(..self.vocabulary) else {
            return Err(Error::Row { found: logits.len(), expected: self.vocabulary });
        };
        let edits = self.history.edits();
        if edits {
            self.edited.clear();
            self.edited.extend_from_slice(raw);
            self.history.edit(&mut self.edited);
        }
        let mut max = row::measure(if edits { &self.edited } else { raw }, &mut self.maxima);
        let mut edited = edits;
        if max.is_nan() {
            let scores = if edits { &self.edited } else { raw };
            let token = scores.iter().position(|score| score.is_nan()).unwrap_or_default();
            return Err(Error::NotANumber { token: token as u32 });
        }
        if max == f32::NEG_INFINITY {
            return Err(Error::NothingAllowed);
        }
        if max == f32::INFINITY {
            if !edits {
                self.edited.clear();
                let bytes = size_of_val(raw) as u64;
                self.edited.try_reserve(raw.len()).map_err(|_| Error::Memory { bytes })?;
                self.edited.extend_from_slice(raw);
            }
            for score in &mut self.edited {
                *score = if *score == f32::INFINITY { 0.0 } else { f32::NEG_INFINITY };
            }
            max = row::measure(&self.edited, &mut self.maxima);
            edited = true;
        }
        let greedy = self.params.temperature <= 0.0;
        // A temperature so small that its inverse overflows would make 0 · ∞ of the largest score.
        let scale = if greedy { 1.0 } else { (1.0 / self.params.temperature).min(f32::MAX) };
        let scores = if edited { &self.edited } else { raw };
        let row = Row { scores, maxima: &self.maxima, max, scale };

        let mut draw = Draw { params: &self.params, random: &mut self.random, sums: &mut self.sums };
        let token = if greedy {
            row.argmax()
        } else if self.params.top_k > 0 || self.params.typical_p < 1.0 {
            draw.listed(&row, &mut self.candidates)
        } else {
            draw.unlisted(&row)
        };
        let logprobs = self.params.logprobs.map(|n| {
            let log_total = row.weigh(None, &mut self.sums).ln();
            let logprob = |token: u32, score: f32| {
                Logprob::new(Token(token), (f64::from((score - row.max) * row.scale) - log_total) as f32)
            };
            let chosen = logprob(token, row.place(token).score);
            self.candidates.take_most_probable(&row, n as usize);
            let ranked = self.candidates.ranked().iter().map(|c| logprob(c.token, c.score));
            std::iter::once(chosen).chain(ranked).collect()
        });
        self.history.push(Token(token));
        Ok(Sampled { token: Token(token), logprobs })
    }
}

/// The parts of a sampler that a draw uses.
struct Draw<'a> {
    params: &'a SamplingParams,
    random: &'a mut Xoshiro256PlusPlus,
    sums: &'a mut Vec<f32>,
}

impl Draw<'_> {
    /// A number from zero to just below `end`.
    fn below(&mut self, end: f64) -> f64 {
        // The upper 53 bits, as many as a double holds.
        (self.random.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64) * end
    }

    /// Draws from the whole row, cut by top-p and min-p, without listing what they keep.
    ///
    /// A token is drawn from the row; it is in the nucleus exactly if the tokens before it weigh less than top-p of
    /// all, which one pass tells. If it is not, neither is any token after it, so the next draw is from those before
    /// it. Each draw's set contains the nucleus, and within the nucleus its odds are those of the weights, so the token
    /// accepted is distributed exactly as if the rest had been removed first. The first draw is accepted with a
    /// probability of at least top-p; where top-p is small, each rejection cuts off half of what is left on average.
    fn unlisted(&mut self, row: &Row) -> u32 {
        let mut before = None;
        let mut total = row.weigh(before, self.sums);
        let limit = if self.params.top_p < 1.0 { f64::from(self.params.top_p) * total } else { f64::INFINITY };
        loop {
            let token = row.pick(self.below(total), before, self.sums);
            let place = row.place(token);
            let likely = row.weight(place.score) >= self.params.min_p;
            if likely && limit == f64::INFINITY {
                return token;
            }
            before = Some(place);
            total = row.weigh(before, self.sums);
            // With nothing before it, it is the most probable token, which is always kept.
            if total <= 0.0 || likely && total < limit {
                return token;
            }
        }
    }

    fn listed(&mut self, row: &Row, candidates: &mut Candidates) -> u32 {
        match self.params.top_k as usize {
            0 => candidates.take_all(row),
            k => candidates.take_most_probable(row, k.min(row.scores.len())),
        }
        if self.params.typical_p < 1.0 {
            candidates.keep_typical(row, self.params.typical_p);
        }
        if self.params.top_p < 1.0 {
            candidates.keep_top(self.params.top_p);
        }
        if self.params.min_p > 0.0 {
            candidates.keep_likely(self.params.min_p);
        }
        candidates.pick(self.below(candidates.total()))
    }
}
