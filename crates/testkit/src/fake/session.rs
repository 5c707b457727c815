//! A fake session: the cache, and one row for every span that asks.

use trillm_core::{Batch, Error, Limits, Output, Pooling, Result, Rows, Session, Slot, Tokenizer};

use super::cache::{Cache, State};
use super::model::{FakeModel, failure};
use super::says::Voice;
use super::{Fake, Fault, wait};
use crate::random::mix;

pub(super) struct FakeSession<'m> {
    model: &'m FakeModel,
    limits: Limits,
    output: Output,
    voice: Voice,
    cache: Cache,
    rows: FakeRows,
}

struct FakeRows {
    width: usize,
    values: Vec<f32>,
}

impl Rows for FakeRows {
    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }
}

impl<'m> FakeSession<'m> {
    pub(super) fn new(model: &'m FakeModel, limits: Limits, output: Output) -> Self {
        let width = limits.row as usize;
        Self {
            model,
            limits,
            output,
            voice: Voice::new(&model.fake.says, model.tokenizer.vocabulary()),
            cache: Cache::new(limits.slots, limits.cells, limits.context),
            rows: FakeRows { width, values: Vec::with_capacity(width * limits.slots as usize) },
        }
    }

    /// Fills the cells of `batch` and the rows asked for. A failing step stops half way through each span.
    fn compute(&mut self, batch: &Batch, fails: bool) {
        self.rows.values.clear();
        for span in &batch.spans {
            let tokens = &batch.tokens[span.tokens.clone()];
            let mut state = self.cache.last(span.slot);
            for &token in &tokens[..if fails { tokens.len() / 2 } else { tokens.len() }] {
                state = self.voice.advance(state, token);
                self.cache.push(span.slot, state);
            }
            if span.wants_output {
                match self.output {
                    Output::Scores => self.voice.score(state, &mut self.rows.values),
                    Output::Embedding(pooling) => self.embed(span.slot, pooling),
                }
            }
        }
    }

    /// Appends the vector of `slot`: to each position belongs a vector that depends on all tokens up to it.
    fn embed(&mut self, slot: Slot, pooling: Pooling) {
        let begin = self.rows.values.len();
        self.rows.values.resize(begin + self.rows.width, 0.0);
        let row = &mut self.rows.values[begin..];
        let mut add = |state: State, weight: f32| {
            for (value, lane) in row.iter_mut().zip(1..) {
                *value += weight * ((mix(state.hash ^ mix(lane)) >> 40) as f32 / 8_388_608.0 - 1.0);
            }
        };
        let mut states = self.cache.states(slot);
        match pooling {
            Pooling::Mean => {
                let weight = 1.0 / states.len() as f32;
                states.for_each(|state| add(state, weight));
            }
            Pooling::First => add(states.next().unwrap_or_default(), 1.0),
            Pooling::Last => add(states.next_back().unwrap_or_default(), 1.0),
        }
    }

    fn unsupported<T>(what: &str) -> Result<T> {
        Err(Error::Unsupported { what: what.into(), by: Fake::NAME.into() })
    }
}

impl Session for FakeSession<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        let fake = &self.model.fake;
        if let Some(record) = &fake.record {
            record.lock().expect("no test panics while it holds the record").push(batch.clone());
        }
        if let Some(gate) = &fake.gate {
            gate.pass();
        }
        self.limits.check(batch, |slot| self.cache.len(slot), self.model.tokenizer.vocabulary())?;
        let wanted: usize = batch.spans.iter().map(|span| span.tokens.len()).sum();
        if wanted > self.cache.free() {
            return Err(Error::CacheFull);
        }
        wait(fake.step_time + fake.token_time * wanted as u32);
        let fault = self.model.next_fault();
        match fault {
            Some(Fault::CacheFull) => return Err(Error::CacheFull),
            Some(Fault::Error) => {
                self.compute(batch, true);
                return Err(failure("this step fails"));
            }
            Some(Fault::Panic) => {
                self.compute(batch, true);
                panic!("this step panics, as it was told to");
            }
            Some(Fault::Nan) | None => self.compute(batch, false),
        }
        if fault == Some(Fault::Nan) {
            self.rows.values.fill(f32::NAN);
        }
        Ok(&self.rows)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        if keep > 0 && !self.limits.reuses_prefix {
            return Self::unsupported("keeping a part of a slot");
        }
        self.cache.truncate(slot, keep)
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        if !self.limits.reuses_prefix {
            return Self::unsupported("sharing a prefix");
        }
        self.cache.share(from, to, len)
    }
}
