//! An encoder's graph behind the session contract. Nothing is kept from step to step but who was there.

use trillm_core::{Batch, Error, Limits, Pooling, Result, Rows, Session, SessionOptions, Slot, Texts, Token, memory};
use trillm_formats::onnx::{Encoder, Role};

use crate::NAME;
use crate::fault::{self, Fault};
use crate::feeds::{self, Layout, Row, Side};
use crate::ffi::Graph;
use crate::program::Program;
use crate::rows::{Numbers, Outputs};
use crate::weights::WeightMemory;

/// Tokens of the shortest texts that fill a step. Nothing is kept of a text, so a slot costs next to nothing.
const SHORT_TEXT: u32 = 8;

/// Tokens in a run, those that fill up included: more would only take memory.
const RUN: usize = 4096;

/// One session.
pub(crate) struct EncoderSession<'m> {
    graph: Graph,
    memory: &'m WeightMemory,
    shape: &'m Encoder,
    /// None if the graph pools.
    pooling: Vec<Pooling>,
    texts: Texts,
    vocabulary: u32,
    outputs: Outputs,
    /// The vectors of one text's tokens.
    states: Vec<f32>,
    pooled: Vec<f32>,
    /// Tokens of the longest text that was computed.
    proven: u32,
    /// Tokens of the longest text that can be, once that was found out.
    most: Option<u32>,
}

impl<'m> EncoderSession<'m> {
    pub(crate) fn new(
        program: &'m Program,
        shape: &'m Encoder,
        pooling: Vec<Pooling>,
        limits: Limits,
        vocabulary: u32,
        options: &SessionOptions,
    ) -> Result<Self> {
        let tokens_per_step = options.batch.max(limits.context);
        let slots = options.parallel.max(tokens_per_step / SHORT_TEXT);
        let limits = Limits { slots, cells: tokens_per_step, tokens_per_step, reuses_prefix: false, ..limits };
        let inputs = shape.feeds.iter().map(|feed| feed.name.as_str());
        let graph = program.graph(options, inputs, std::iter::once(shape.vectors.name.as_str()))?;
        Ok(Self {
            graph,
            memory: &program.memory,
            shape,
            pooling,
            texts: Texts::new(limits),
            vocabulary,
            outputs: Outputs::new(limits.row, shape.vectors.element),
            states: Vec::new(),
            pooled: Vec::new(),
            proven: 0,
            most: None,
        })
    }

    /// How many of `rows`, the longest first, run together: those that are filled up by less than a quarter.
    fn together(&self, rows: &[Row<'_>]) -> usize {
        let longest = rows[0].tokens.len();
        let masked = self.shape.feeds.iter().any(|feed| feed.role == Role::Mask);
        let fits = |row: &&Row<'_>| match row.tokens.len() {
            length if masked => 4 * length >= 3 * longest,
            length => length == longest,
        };
        let count = rows.iter().take_while(fits).count();
        if self.shape.mixes_rows { 1 } else { count.min((RUN / longest).max(1)) }
    }

    /// Runs `rows`, the longest first, and keeps a vector of each.
    fn run(&mut self, rows: &[Row<'_>], places: &[Option<usize>]) -> fault::Result<()> {
        let sequence = rows[0].tokens.len();
        let layout = Layout { sequence, total: sequence, side: Side::Behind };
        let inputs = feeds::fill(&self.shape.feeds, rows, layout)?;
        let made = self.graph.run(&inputs.iter().collect::<Vec<_>>(), &[None])?;
        let vectors = made.first().ok_or_else(|| Fault::new("a run without vectors"))?;
        let width = self.shape.width as usize;
        let expected = if self.shape.pooled { vec![rows.len(), width] } else { vec![rows.len(), sequence, width] };
        let found = vectors.shape()?;
        if !found.iter().copied().eq(expected.iter().map(|&length| length as i64)) {
            return Err(Fault::new(format!("vectors of shape {found:?}, expected {expected:?}")));
        }
        let numbers = Numbers::of(vectors, self.shape.vectors.element)?;
        for (index, row) in rows.iter().enumerate() {
            let Some(place) = places[row.span] else { continue };
            if self.shape.pooled {
                numbers.copy(index * width, self.outputs.row_mut(place))?;
                continue;
            }
            memory::resize(&mut self.states, row.tokens.len() * width, 0.0, "the vectors of a text")?;
            numbers.copy(index * sequence * width, &mut self.states)?;
            self.pooled.clear();
            for way in &self.pooling {
                way.pool(&self.states, width, row.prompt, &mut self.pooled);
            }
            self.outputs.row_mut(place).copy_from_slice(&self.pooled);
        }
        Ok(())
    }

    /// Why a run failed whose longest text has `longest` tokens. Where a short text can be computed and such a long one
    /// cannot, it is longer than the graph has positions for, as with a decoder.
    fn explain(&mut self, fault: Fault, longest: u32) -> Error {
        if longest <= self.proven.max(1) || !matches!(fault, Fault::Runtime(_)) || !self.fits(1) || self.fits(longest) {
            return fault.stopped();
        }
        let (mut good, mut bad) = (self.proven.max(1), longest);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if self.fits(middle) { good = middle } else { bad = middle }
        }
        tracing::warn!("the graph has positions for {good} tokens, not for {}", self.texts.limits().context);
        self.most = Some(good);
        Error::PositionsEnd { most: good }
    }

    /// Whether a text of so many tokens can be computed.
    fn fits(&mut self, length: u32) -> bool {
        let mut batch = Batch::default();
        batch.push(Slot(0), 0, &vec![Token(0); length as usize], true);
        let rows: Vec<_> = Row::all(&batch).collect();
        self.run(&rows, &[None]).is_ok()
    }
}

impl Session for EncoderSession<'_> {
    fn limits(&self) -> Limits {
        self.texts.limits()
    }

    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows> {
        self.texts.check(batch, self.vocabulary)?;
        if self.shape.pooled {
            batch.check_all_pooled("a graph that pools by itself")?;
        }
        if !self.shape.feeds.iter().any(|feed| feed.role == Role::TokenTypes) {
            batch.check_one_text(NAME)?;
        }
        self.memory.check()?;
        self.outputs.make_room(batch.outputs())?;
        let places = batch.places();
        let mut rows: Vec<_> = Row::all(batch).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.tokens.len()));
        let longest = rows.first().map_or(0, |row| row.tokens.len() as u32);
        if let Some(most) = self.most.filter(|most| longest > *most) {
            return Err(Error::PositionsEnd { most });
        }
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (run, others) = rest.split_at(self.together(rest));
            self.run(run, &places).map_err(|fault| self.explain(fault, run[0].tokens.len() as u32))?;
            rest = others;
        }
        self.proven = self.proven.max(longest);
        self.texts.hold(batch);
        Ok(&self.outputs)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()> {
        self.texts.truncate(slot, keep)
    }

    fn share(&mut self, _: Slot, _: Slot, _: u32) -> Result<()> {
        self.texts.share()
    }
}
