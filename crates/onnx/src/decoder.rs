//! A decoder's graph and cache behind the session contract.
//!
//! A step may hold prompts and sequences that generate; a run of a graph may not. So a step becomes several runs: one
//! for the rows of a single token, as far as the cache can put them together, and one for every longer row.

use trillm_core::{Batch, Error, Limits, Result, Rows, Session, SessionOptions, Slot, Token};
use trillm_formats::onnx::{self, Feed, Role};

use crate::cache::Cache;
use crate::feeds::Row;
use crate::ffi::{Graph, Tensor};
use crate::model::Program;
use crate::rows::Outputs;
use crate::weights::WeightMemory;
use crate::{NAME, stopped};

/// How far the scores of the same tokens may be apart, as a share of the largest, and still be the same but for rounding.
const SAME: f32 = 1e-2;

/// One session.
pub(crate) struct DecoderSession<'m, C> {
    graph: Graph,
    memory: &'m WeightMemory,
    feeds: &'m [Feed],
    limits: Limits,
    cache: C,
    /// Rows must not run together: each would change the others.
    apart: bool,
    /// What follows a first run must come token by token: in a longer row each token would see those after it.
    resumes_slowly: bool,
    outputs: Outputs,
}

impl<'m, C: Cache> DecoderSession<'m, C> {
    pub(crate) fn new(
        program: &'m Program,
        shape: &'m onnx::Decoder,
        limits: Limits,
        options: &SessionOptions,
        cache: C,
    ) -> Result<Self> {
        let tensors = match &shape.cache {
            onnx::Cache::None => &[][..],
            onnx::Cache::Grown(tensors) | onnx::Cache::Shared(tensors) => tensors,
        };
        let inputs = shape.feeds.iter().map(|feed| feed.name.as_str());
        let inputs = inputs.chain(tensors.iter().map(|tensor| tensor.past.as_str()));
        let outputs = std::iter::once(shape.scores.name.as_str());
        let outputs = outputs.chain(tensors.iter().map(|tensor| tensor.present.as_str()));
        let graph = program.graph(options, inputs, outputs)?;
        let outputs = Outputs::new(limits.row, shape.scores.element);
        let (memory, feeds) = (&*program.memory, &shape.feeds[..]);
        let apart = shape.mixes_rows;
        let mut this = Self { graph, memory, feeds, limits, cache, apart, resumes_slowly: false, outputs };
        this.rehearse().map_err(|error| Error::load(NAME, &program.path, error.message()))?;
        Ok(this)
    }

    /// Some of what the runtime cannot do it says only when a graph runs: better now than at the first request. So a
    /// prompt is run, and what follows it beside another sequence.
    fn rehearse(&mut self) -> ort::Result<()> {
        let slots: Vec<_> = (0..self.limits.slots.min(2)).map(Slot).collect();
        let prompt = [Token(0); 2];
        let mut batch = Batch::default();
        batch.push(slots[0], 0, &prompt[..self.limits.context.min(2) as usize], true);
        self.compute(&batch)?;
        if self.limits.context > 2 {
            batch.clear();
            for (&slot, start) in slots.iter().zip([2, 0]) {
                batch.push(slot, start, &prompt[..1], true);
            }
            self.compute(&batch)?;
        }
        for slot in slots {
            self.cache.truncate(slot, 0);
        }
        // Graphs with two branches were often traced with one token in the second.
        let branches = self.feeds.iter().any(|feed| feed.role == Role::UseCache);
        if branches && self.limits.context > 2 {
            let (slow, fast) = (self.scores_in(&[1, 1, 1])?, self.scores_in(&[1, 2])?);
            let apart = slow.iter().zip(&fast).map(|(slow, fast)| (slow - fast).abs()).fold(0.0, f32::max);
            let largest = slow.iter().fold(0.0, |largest: f32, score| largest.max(score.abs()));
            self.resumes_slowly = apart > SAME * largest;
        }
        Ok(())
    }

    /// The scores after three different tokens that come in steps of these lengths.
    fn scores_in(&mut self, steps: &[usize]) -> ort::Result<Vec<f32>> {
        let last = self.limits.row - 1;
        let tokens = [Token(last), Token(last / 2), Token(last / 3)];
        let (mut batch, mut start) = (Batch::default(), 0);
        for &count in steps {
            batch.clear();
            batch.push(Slot(0), start as u32, &tokens[start..start + count], true);
            self.compute(&batch)?;
            start += count;
        }
        self.cache.truncate(Slot(0), 0);
        Ok(self.outputs.row(0).to_vec())
    }

    /// The rows of `batch` in the order they run, and how many of them run together.
    fn runs<'b>(&self, batch: &'b Batch) -> (Vec<Row<'b>>, Vec<usize>) {
        let (mut rows, long): (Vec<_>, Vec<_>) = Row::all(batch).partition(|row| row.tokens.len() == 1);
        let mut runs = if self.apart { vec![1; rows.len()] } else { self.cache.group(&mut rows) };
        runs.extend(std::iter::repeat_n(1, long.len()));
        rows.extend(long);
        (rows, runs)
    }

    /// Copies the scores that were asked for; `places` has the index of each span's row.
    fn fetch(&mut self, rows: &[Row<'_>], scores: &Tensor, places: &[Option<usize>]) -> ort::Result<()> {
        let shape = scores.shape()?;
        let &[count, positions, width] = &shape[..] else {
            return Err(ort::Error::new(format!("scores of shape {shape:?}, expected three dimensions")));
        };
        if count != rows.len() as i64 || positions < 1 || width != i64::from(self.limits.row) {
            let (rows, width) = (rows.len(), self.limits.row);
            let what = format!("scores of shape {shape:?}, expected {rows} rows of {width} scores");
            return Err(ort::Error::new(what));
        }
        for (index, row) in rows.iter().enumerate() {
            let last = (index + 1) * positions as usize - 1;
            if let Some(place) = places[row.span] {
                self.outputs.copy(scores, last, place)?;
            }
        }
        Ok(())
    }

    fn compute(&mut self, batch: &Batch) -> ort::Result<()> {
        let places = batch.places();
        self.outputs.make_room(batch.outputs());
        let (mut rows, runs) = self.runs(batch);
        let mut rest = &mut rows[..];
        for count in runs {
            let (run, others) = rest.split_at_mut(count);
            rest = others;
            if self.resumes_slowly && run[0].start > 0 && run[0].tokens.len() > 1 {
                self.resume_slowly(&run[0], &places)?;
                continue;
            }
            if let Some(scores) = self.cache.run(&mut self.graph, self.feeds, run)? {
                self.fetch(run, &scores, &places)?;
            }
        }
        Ok(())
    }

    /// Computes a row token by token.
    fn resume_slowly(&mut self, row: &Row<'_>, places: &[Option<usize>]) -> ort::Result<()> {
        for (index, token) in row.tokens.iter().enumerate() {
            let (start, tokens) = (row.start + index, std::slice::from_ref(token));
            let mut one = [Row { start, tokens, wanted: row.wanted && start + 1 == row.end(), ..*row }];
            if let Some(scores) = self.cache.run(&mut self.graph, self.feeds, &mut one)?
                && one[0].wanted
            {
                self.fetch(&one, &scores, places)?;
            }
        }
        Ok(())
    }
}

impl<C: Cache> Session for DecoderSession<'_, C> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        self.limits.check(batch, |slot| self.cache.length(slot), self.limits.row)?;
        self.memory.check()?;
        self.compute(batch).map_err(|error| stopped(&error))?;
        Ok(&self.outputs)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.limits.check_slot(slot)?;
        self.cache.truncate(slot, keep);
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()> {
        self.limits.check_share(from, to, len, |slot| self.cache.length(slot))?;
        self.cache.share(from, to, len);
        Ok(())
    }
}
