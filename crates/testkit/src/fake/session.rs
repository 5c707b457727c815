//! A fake session: the cache, and one row for every span that asks.

use trillm_core::{Batch, Error, Limits, Output, Result, Rows, Session, Slot, Span, Tokenizer};

use super::cache::Cache;
use super::says::Voice;
use super::script::{Script, failure};
use super::settings::{Fake, Fault};
use super::wait::wait;
use crate::random::mix;

pub(super) struct FakeSession<'m> {
    script: &'m Script,
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
    pub(super) fn new(script: &'m Script, limits: Limits, output: Output) -> Self {
        let width = limits.row as usize;
        Self {
            script,
            limits,
            output,
            voice: Voice::new(&script.fake.says, script.tokenizer.vocabulary()),
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
                match &self.output {
                    Output::Scores => self.voice.score(state, &mut self.rows.values),
                    Output::Embedding(_) => self.embed(span),
                }
            }
        }
    }

    /// Appends the vectors of a span's text: to each position belongs one that depends on all tokens up to it.
    fn embed(&mut self, span: &Span) {
        let Output::Embedding(ways) = &self.output else { return };
        let width = self.script.fake.width;
        let number = |hash: u64, lane: u32| (mix(hash ^ mix(u64::from(lane))) >> 40) as f32 / 8_388_608.0 - 1.0;
        let states = self.cache.states(span.slot);
        let states: Vec<f32> = states.flat_map(|state| (1..=width).map(move |lane| number(state.hash, lane))).collect();
        for way in ways {
            way.pool(&states, width as usize, span.prompt as usize, &mut self.rows.values);
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
        let fake = &self.script.fake;
        if let Some(record) = &fake.record {
            record.lock().expect("no test panics while it holds the record").push(batch.clone());
        }
        if let Some(gate) = &fake.gate {
            gate.pass();
        }
        self.limits.check(batch, |slot| self.cache.len(slot), self.script.tokenizer.vocabulary())?;
        let wanted: usize = batch.spans.iter().map(|span| span.tokens.len()).sum();
        if wanted > self.cache.free() {
            return Err(Error::CacheFull);
        }
        wait(fake.step_time + fake.token_time * wanted as u32);
        let fault = self.script.next_fault();
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
