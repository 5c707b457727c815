//! What one step computes.

use std::ops::Range;

use crate::{Error, Passage, Result, Token};

/// A place for one sequence in a session's key-value cache, numbered from zero below [`Limits::slots`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Slot(pub u32);

/// What a session can hold. The scheduler plans inside these; a step outside them is an error, never an abort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How many sequences may be in the cache at once.
    pub slots: u32,
    /// The longest sequence, in tokens.
    pub context: u32,
    /// Cache cells that all slots draw from, in tokens. A cell shared by several slots counts once.
    pub cells: u32,
    /// The most tokens in one step, all spans added up.
    pub tokens_per_step: u32,
    /// Length of an output row: the vocabulary for scores, the width for embeddings.
    pub row: u32,
    /// Whether [`Session::share`](crate::Session::share) and partial `truncate` work.
    pub reuses_prefix: bool,
    /// Threads that compute a step, the caller's included.
    pub threads: u32,
}

/// The tokens of one step. Reused across steps, so that planning does not allocate once warm.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    /// The tokens of all spans, back to back.
    pub tokens: Vec<Token>,
    /// Who the tokens belong to.
    pub spans: Vec<Span>,
}

/// A run of tokens for one slot: a chunk of a prompt, or the one token decoded last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The sequence that grows.
    pub slot: Slot,
    /// Position of the first token: how many the slot already holds.
    pub start: u32,
    /// Where the tokens stand in [`Batch::tokens`].
    pub tokens: Range<usize>,
    /// Whether the last token's row is wanted. Rows come back in the order of the spans that asked.
    pub wants_output: bool,
    /// Tokens at the start that are not pooled. Zero but for texts to embed.
    pub prompt: u32,
    /// Where the second of two texts begins, counted from the span's start; its length if there is one text alone.
    pub second: u32,
}

impl Batch {
    /// Forgets the last step and keeps the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.spans.clear();
    }

    /// Adds a span of `tokens` for `slot`, the first of them at position `start`.
    pub fn push(&mut self, slot: Slot, start: u32, tokens: &[Token], wants_output: bool) {
        let begin = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        let second = tokens.len() as u32;
        self.spans.push(Span { slot, start, tokens: begin..self.tokens.len(), wants_output, prompt: 0, second });
    }

    /// Adds a whole text for `slot`, whose vector is wanted.
    pub fn push_text(&mut self, slot: Slot, text: &Passage) {
        self.push(slot, 0, &text.tokens, true);
        if let Some(span) = self.spans.last_mut() {
            (span.prompt, span.second) = (text.prompt, text.second);
        }
    }

    /// Checks that every span begins its slot, as an embedding asks for (its text comes in one step), and that each has
    /// tokens, its prompt among them.
    ///
    /// # Errors
    /// [`Error::Batch`].
    pub fn check_whole(&self) -> Result<()> {
        if self.spans.iter().any(|span| span.start > 0) {
            return Err(Error::Batch("an embedding takes its whole text in one step".into()));
        }
        if let Some(span) =
            self.spans.iter().find(|span| span.tokens.is_empty() || span.prompt as usize > span.tokens.len())
        {
            return Err(Error::Batch(format!("a prompt of {} of {} tokens", span.prompt, span.tokens.len())));
        }
        Ok(())
    }

    /// Checks that all tokens are pooled, for an engine that cannot leave any out.
    ///
    /// # Errors
    /// [`Error::Unsupported`], by `engine`.
    pub fn check_all_pooled(&self, engine: &str) -> Result<()> {
        if self.spans.iter().any(|span| span.prompt > 0) {
            return Err(Error::Unsupported { what: "leaving a prompt out of pooling".into(), by: engine.into() });
        }
        Ok(())
    }

    /// Checks that no span holds two texts, for a model that does not tell them apart.
    ///
    /// # Errors
    /// [`Error::Unsupported`], by a model of `engine`.
    pub fn check_one_text(&self, engine: &str) -> Result<()> {
        if self.spans.iter().any(|span| (span.second as usize) < span.tokens.len()) {
            let by = format!("this model of {engine}, which does not tell two texts apart");
            return Err(Error::Unsupported { what: "a pair of texts".into(), by });
        }
        Ok(())
    }

    /// The index of each span's output row; `None` for those that want none.
    pub fn places(&self) -> Vec<Option<usize>> {
        let mut rows = 0..;
        self.spans.iter().map(|span| if span.wants_output { rows.next() } else { None }).collect()
    }

    /// How many output rows this batch asks for.
    pub fn outputs(&self) -> usize {
        self.spans.iter().filter(|span| span.wants_output).count()
    }
}

impl Limits {
    /// Checks that there is such a slot.
    ///
    /// # Errors
    /// [`Error::Batch`].
    pub fn check_slot(&self, slot: Slot) -> Result<()> {
        if slot.0 < self.slots {
            return Ok(());
        }
        Err(Error::Batch(format!("slot {} of {}", slot.0, self.slots)))
    }

    /// Checks that the first `len` positions of `from` may become those of `to`; `lengths` says what each slot holds.
    ///
    /// # Errors
    /// [`Error::Batch`], or [`Error::Unsupported`] if no prefix can be reused.
    pub fn check_share(&self, from: Slot, to: Slot, len: u32, lengths: impl Fn(Slot) -> u32) -> Result<()> {
        self.check_slot(from)?;
        self.check_slot(to)?;
        if !self.reuses_prefix {
            return Err(Error::Unsupported { what: "sharing a prefix".into(), by: "this model's cache".into() });
        }
        let (held, taken) = (lengths(from), lengths(to));
        if taken > 0 || len > held {
            let what = format!("sharing {len} of {held} positions with a slot that holds {taken}");
            return Err(Error::Batch(what));
        }
        Ok(())
    }

    /// Checks a batch against these limits and `lengths`, the positions each slot holds.
    ///
    /// It is done once, here, so that no engine meets a batch that would make its library abort.
    pub fn check(&self, batch: &Batch, lengths: impl Fn(Slot) -> u32, vocabulary: u32) -> Result<()> {
        let wrong = |what: String| Err(Error::Batch(what));
        if batch.tokens.len() > self.tokens_per_step as usize {
            return wrong(format!("{} tokens in a step of at most {}", batch.tokens.len(), self.tokens_per_step));
        }
        if let Some(token) = batch.tokens.iter().find(|token| token.0 >= vocabulary) {
            return wrong(format!("token {} in a vocabulary of {vocabulary}", token.0));
        }
        let mut end = 0;
        for (index, span) in batch.spans.iter().enumerate() {
            self.check_slot(span.slot)?;
            if batch.spans[..index].iter().any(|other| other.slot == span.slot) {
                return wrong(format!("slot {} twice in a step", span.slot.0));
            }
            // Back to back: then spans cannot overlap, and their lengths add up to the step's.
            if span.tokens.is_empty() || span.tokens.start != end || span.tokens.end > batch.tokens.len() {
                return wrong(format!("span {:?} of {} tokens, expected from {end}", span.tokens, batch.tokens.len()));
            }
            end = span.tokens.end;
            if span.start != lengths(span.slot) {
                return wrong(format!("start {} in a slot that holds {}", span.start, lengths(span.slot)));
            }
            if span.start as usize + span.tokens.len() > self.context as usize {
                return wrong(format!(
                    "end {} in a context of {}",
                    span.start as usize + span.tokens.len(),
                    self.context
                ));
            }
        }
        Ok(())
    }
}
