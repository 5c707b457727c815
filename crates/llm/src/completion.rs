//! A running request, and what it came to.

use std::time::Duration;

use trillm_core::{FinishReason, Logprob, Outcome, Piece, Timings, Token, Usage};
use trillm_sched::{Event, Stream};

use crate::Result;
use crate::replicas::Use;

/// A finished request.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The generated text.
    pub text: String,
    /// The generated tokens.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Token counts.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
    /// For each token what [`Piece::logprobs`] said, if it was asked for.
    pub logprobs: Vec<Box<[Logprob]>>,
}

/// A running request: an iterator over its pieces, which also puts them together. Dropping it cancels the request.
pub struct Generation {
    stream: Stream,
    /// Of the session that it runs in.
    _held: Use,
    text: String,
    tokens: Vec<Token>,
    logprobs: Vec<Box<[Logprob]>>,
    outcome: Option<Outcome>,
}

impl Generation {
    pub(crate) fn new(stream: Stream, held: Use) -> Self {
        Self { stream, _held: held, text: String::new(), tokens: Vec::new(), logprobs: Vec::new(), outcome: None }
    }

    /// The next piece if one is ready. `None` when none is, or none will be: see [`is_done`](Self::is_done).
    pub fn try_next(&mut self) -> Option<Piece> {
        match self.stream.try_next()? {
            Event::Piece(piece) => {
                self.text.push_str(piece.text.as_str());
                self.tokens.extend(piece.token);
                self.logprobs.extend(piece.logprobs.clone());
                Some(piece)
            }
            Event::Done(outcome) => {
                self.outcome = Some(outcome);
                None
            }
        }
    }

    /// Whether all pieces were read.
    pub fn is_done(&self) -> bool {
        self.outcome.is_some()
    }

    /// Waits until `try_next` would make progress, at most `limit`; says whether it would.
    pub fn wait(&self, limit: Duration) -> bool {
        self.is_done() || self.stream.wait(limit)
    }

    /// The stream underneath, to be polled by an event loop.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What it came to. Call when all pieces were read; before that it waits for them.
    ///
    /// # Errors
    /// Whatever ended the request early.
    pub fn collect(mut self) -> Result<Completion> {
        self.stream.read_lazily();
        while !self.is_done() {
            self.wait(Duration::from_hours(1));
            while self.try_next().is_some() {}
        }
        self.completion()
    }

    /// As [`collect`](Self::collect), of what was read so far; for callers that wait in a way of their own.
    pub fn completion(&self) -> Result<Completion> {
        let Some(outcome) = &self.outcome else { return Err(trillm_core::Error::Cancelled.into()) };
        Ok(Completion {
            text: self.text.clone(),
            tokens: self.tokens.clone(),
            finish_reason: outcome.result.clone()?,
            usage: outcome.usage,
            timings: outcome.timings,
            logprobs: self.logprobs.clone(),
        })
    }
}

impl Iterator for Generation {
    type Item = Result<Piece>;

    /// Waits for the next piece. `None` after the last; an error, once, if the request did not end well.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_done() {
                return None;
            }
            if let Some(piece) = self.try_next() {
                return Some(Ok(piece));
            }
            match &self.outcome {
                Some(Outcome { result: Err(error), .. }) => return Some(Err(error.clone().into())),
                Some(_) => return None,
                None => self.wait(Duration::from_hours(1)),
            };
        }
    }
}
