//! One request from submission to outcome.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use trillm_core::{Error, FinishReason, Outcome, Piece, Ready, Slot, Text, Timings, Token, Tokenizer, Usage, memory};
use trillm_sampling::Sampler;
use trillm_text::Assembler;

use crate::histogram::Histogram;
use crate::stream::Writer;

/// Precedence: higher priority first, then earlier arrival.
pub(crate) type Rank = (Reverse<i32>, u64);

pub(crate) struct Sequence {
    pub(crate) rank: Rank,
    pub(crate) ready: Ready,
    /// Prompt and generated tokens: all that are known.
    pub(crate) tokens: Vec<Token>,
    /// How many of them are in the cache.
    pub(crate) computed: u32,
    pub(crate) slot: Slot,
    /// Its reader has fallen behind: it takes no part in steps, and gives up its slot if another wants it.
    pub(crate) blocked: bool,
    pub(crate) writer: Writer,
    sampler: Sampler,
    assembler: Assembler,
    usage: Usage,
    submitted: Instant,
    started: Option<Instant>,
    prefilled: Option<Instant>,
}

/// What became of a sequence when a token was chosen for it.
pub(crate) enum Fate {
    Continues,
    Ends(Result<FinishReason, Error>),
}

impl Sequence {
    /// Called on the submitting thread: what needs allocating is allocated here.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(ready: Ready, arrival: u64, vocabulary: u32, writer: Writer) -> Result<Self, Error> {
        let prompt = ready.prompt();
        let mut tokens = Vec::new();
        let length = prompt.len() + ready.max_tokens() as usize;
        memory::reserve(&mut tokens, length, "the prompt and max_tokens more")?;
        tokens.extend_from_slice(prompt);
        Ok(Self {
            rank: (Reverse(ready.request().priority), arrival),
            computed: 0,
            slot: Slot(0),
            blocked: false,
            writer,
            sampler: Sampler::new(&ready.request().sampling, prompt, vocabulary)?,
            assembler: Assembler::new(&ready.request().stop),
            usage: Usage { prompt_tokens: prompt.len() as u32, ..Usage::default() },
            submitted: Instant::now(),
            started: None,
            prefilled: None,
            tokens,
            ready,
        })
    }

    /// Tokens that are known and not computed.
    pub(crate) fn pending(&self) -> u32 {
        self.tokens.len() as u32 - self.computed
    }

    /// Gives it a slot that already holds its first `found` tokens.
    pub(crate) fn start(&mut self, slot: Slot, found: u32) {
        self.writer.leave_queue();
        self.slot = slot;
        self.computed = found;
        if self.started.is_none() {
            self.started = Some(Instant::now());
            self.usage.cached_tokens = found;
        }
    }

    /// Takes its slot away; everything is computed again when it gets another.
    pub(crate) fn stop(&mut self) {
        self.computed = 0;
    }

    /// Chooses the next token from `scores` and sends its piece; the first one is counted in `first`.
    pub(crate) fn advance(
        &mut self,
        scores: &[f32],
        tokenizer: &dyn Tokenizer,
        first: &Histogram,
        text: &mut String,
    ) -> Fate {
        if self.prefilled.is_none() {
            self.prefilled = Some(Instant::now());
        }
        let sampled = match self.sampler.sample(scores) {
            Ok(sampled) => sampled,
            Err(trillm_sampling::Error::Memory { bytes }) => {
                return Fate::Ends(Err(Error::OutOfMemory { what: "the scores of a step".into(), bytes }));
            }
            Err(error) => {
                return Fate::Ends(Err(Error::Engine {
                    engine: "sampler",
                    reason: error.to_string(),
                    log: Vec::new(),
                }));
            }
        };
        let token = sampled.token;
        if tokenizer.is_end(token) && !self.ready.request().ignore_eos {
            self.flush(text);
            return Fate::Ends(Ok(FinishReason::Stop));
        }
        self.tokens.push(token);
        self.usage.completion_tokens += 1;
        text.clear();
        self.assembler.push(tokenizer.bytes(token), text);
        let stopped = self.assembler.stopped();
        let last = self.usage.completion_tokens == self.ready.max_tokens();
        if last && stopped.is_none() {
            self.assembler.finish(text);
        }
        let logprobs = sampled.logprobs.map(|all| all.into_iter().map(|each| each.spelled(tokenizer)).collect());
        // Before it is sent: whoever has it may look at the counts.
        if self.usage.completion_tokens == 1 {
            first.add(self.submitted.elapsed());
        }
        self.writer.push(Piece { token: Some(token), text: Text::from(text.as_str()), logprobs });
        match (stopped, last) {
            (Some(which), _) => Fate::Ends(Ok(FinishReason::StopString(which))),
            (_, true) => Fate::Ends(Ok(FinishReason::Length)),
            _ => Fate::Continues,
        }
    }

    /// Sends the text that was held back for the beginning of a stop string.
    fn flush(&mut self, text: &mut String) {
        text.clear();
        self.assembler.finish(text);
        if !text.is_empty() {
            self.writer.push(Piece { token: None, text: Text::from(text.as_str()), logprobs: None });
        }
    }

    /// Ends where no more than `most` tokens can be computed: with the text so far, if there is any.
    pub(crate) fn cut(&mut self, most: u32, text: &mut String) -> Result<FinishReason, Error> {
        if self.usage.completion_tokens == 0 {
            let prompt = self.ready.prompt().len();
            return Err(Error::ContextOverflow { prompt, max_tokens: None, context: most });
        }
        self.flush(text);
        Ok(FinishReason::Length)
    }

    /// Why it must end now, if it must.
    pub(crate) fn overdue(&self, now: impl FnOnce() -> Instant) -> Option<Error> {
        if self.writer.cancelled() {
            return Some(Error::Cancelled);
        }
        let deadline = self.ready.request().deadline?;
        (now() >= deadline).then_some(Error::DeadlineExceeded { generated: self.usage.completion_tokens })
    }

    /// How long ago it was submitted.
    pub(crate) fn age(&self) -> Duration {
        self.submitted.elapsed()
    }

    /// Sends the outcome.
    pub(crate) fn finish(self, result: Result<FinishReason, Error>) {
        let now = Instant::now();
        let started = self.started.unwrap_or(now);
        let prefilled = self.prefilled.unwrap_or(now);
        let seconds = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64();
        let timings = Timings {
            queue: seconds(self.submitted, started),
            prefill: seconds(started, prefilled),
            decode: seconds(prefilled, now),
        };
        self.writer.finish(Outcome { result, usage: self.usage, timings });
    }
}
