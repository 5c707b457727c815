//! A decoder's graph and cache behind the session contract.
//!
//! A step may hold prompts and sequences that generate; a run of a graph may not. So a step becomes several runs: one
//! for the rows of a single token, as far as the cache can put them together, and one for every longer row.

use trillm_core::{Batch, Error, Limits, Result, Rows, Session, SessionOptions, Slot, Token};
use trillm_formats::onnx::{self, Feed, Role};

use crate::NAME;
use crate::cache::Cache;
use crate::fault::{self, Fault};
use crate::feeds::Row;
use crate::ffi::{Graph, Tensor};
use crate::program::Program;
use crate::rows::Outputs;
use crate::weights::WeightMemory;

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
    /// Scores in a row of the graph's: some may be for tokens that have no embedding, and are left out.
    scores: usize,
    /// What follows a first run must come token by token: in a longer row each token would see those after it.
    resumes_slowly: bool,
    /// The longest sequence that was computed.
    proven: u32,
    /// The longest that can be, once that is known: a table of positions may end before anything says so.
    most: Option<u32>,
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
        let tensors = shape.cache.tensors();
        let inputs = shape.feeds.iter().map(|feed| feed.name.as_str());
        let inputs = inputs.chain(tensors.iter().map(|tensor| tensor.past.as_str()));
        let outputs = std::iter::once(shape.scores.name.as_str());
        let outputs = outputs.chain(tensors.iter().map(|tensor| tensor.present.as_str()));
        let graph = program.graph(options, inputs, outputs)?;
        let outputs = Outputs::new(limits.row, shape.scores.element);
        let (memory, feeds) = (&*program.memory, &shape.feeds[..]);
        let (apart, scores) = (shape.mixes_rows, shape.vocabulary as usize);
        let mut this = Self {
            graph,
            memory,
            feeds,
            limits,
            cache,
            apart,
            scores,
            resumes_slowly: false,
            proven: 0,
            most: None,
            outputs,
        };
        this.rehearse().map_err(|fault| match fault {
            Fault::Runtime(reason) => Error::load(NAME, &program.path, reason),
            Fault::Own(error) => error,
        })?;
        Ok(this)
    }

    /// Some of what the runtime cannot do it says only when a graph runs: better now than at the first request. So a
    /// prompt is run, and what follows it beside another sequence.
    fn rehearse(&mut self) -> fault::Result<()> {
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
        self.proven = self.limits.context.min(2);
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
    fn scores_in(&mut self, steps: &[usize]) -> fault::Result<Vec<f32>> {
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

    /// Why a step failed. Where shorter sequences can be computed and its longest cannot, which ends with `longest` tokens
    /// in `slot`, its positions are what is wrong: they lie behind the end of a table. What `slot` holds is lost.
    fn explain(&mut self, fault: Fault, slot: Slot, longest: u32) -> Error {
        if longest <= self.proven || !matches!(fault, Fault::Runtime(_)) {
            return fault.stopped();
        }
        self.cache.truncate(slot, 0);
        let (mut good, mut bad) = (self.proven, longest);
        // The graph still works, and the same length fails again: what failed by chance would not. One token more than
        // ever before needs no second proof.
        if !self.fits(slot, good.min(2)) || bad - good > 1 && self.fits(slot, bad) {
            return fault.stopped();
        }
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if self.fits(slot, middle) { good = middle } else { bad = middle }
        }
        tracing::warn!("the graph has positions for {good} tokens, not for {}", self.limits.context);
        self.most = Some(good);
        Error::PositionsEnd { most: good }
    }

    /// Whether a sequence of so many tokens can be computed, in a slot that is empty.
    fn fits(&mut self, slot: Slot, length: u32) -> bool {
        let mut batch = Batch::default();
        batch.push(slot, 0, &vec![Token(0); length as usize], true);
        let fits = self.compute(&batch).is_ok();
        self.cache.truncate(slot, 0);
        fits
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
    fn fetch(&mut self, rows: &[Row<'_>], scores: &Tensor, places: &[Option<usize>]) -> fault::Result<()> {
        let shape = scores.shape()?;
        let &[count, positions, width] = &shape[..] else {
            return Err(Fault::new(format!("scores of shape {shape:?}, expected three dimensions")));
        };
        if count != rows.len() as i64 || positions < 1 || width != self.scores as i64 {
            let (rows, width) = (rows.len(), self.scores);
            let what = format!("scores of shape {shape:?}, expected {rows} rows of {width} scores");
            return Err(Fault::new(what));
        }
        for (index, row) in rows.iter().enumerate() {
            let last = (index + 1) * positions as usize - 1;
            if let Some(place) = places[row.span] {
                self.outputs.copy(scores, last * self.scores, place)?;
            }
        }
        Ok(())
    }

    fn compute(&mut self, batch: &Batch) -> fault::Result<()> {
        let places = batch.places();
        self.outputs.make_room(batch.outputs())?;
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
    fn resume_slowly(&mut self, row: &Row<'_>, places: &[Option<usize>]) -> fault::Result<()> {
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
        let ends = batch.spans.iter().map(|span| (span.start + span.tokens.len() as u32, span.slot));
        let (longest, slot) = ends.max().unwrap_or((0, Slot(0)));
        if let Some(most) = self.most.filter(|most| longest > *most) {
            return Err(Error::PositionsEnd { most });
        }
        match self.compute(batch) {
            Ok(()) => self.proven = self.proven.max(longest),
            Err(fault) => {
                for span in &batch.spans {
                    self.cache.truncate(span.slot, span.start);
                }
                return Err(self.explain(fault, slot, longest));
            }
        }
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
