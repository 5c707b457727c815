//! One step of an encoder: packed texts in, one vector for each out. No text is padded to the length of another.

use trillm_core::{Batch, Pooling, Result, Rows, memory};
use trillm_formats::huggingface::Encoder;
use trillm_kernels::{Attention, Cells, Compute, Heads, Rule, Sequence, elementwise as each};

use super::{EncoderWeights, Norm, function};
use crate::compute::for_rows;
use crate::linear::Linear;

/// The weights, and what a step works in. Its memory grows to the largest step and is kept.
pub(crate) struct Forward<'m> {
    shape: &'m Encoder,
    weights: &'m EncoderWeights,
    attention: Attention,
    hidden: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
    projected: Vec<f32>,
    /// What was asked for.
    rows: Vec<f32>,
    /// Numbers in one of them.
    row: usize,
}

impl<'m> Forward<'m> {
    /// On `threads`.
    pub(crate) fn new(shape: &'m Encoder, weights: &'m EncoderWeights, threads: usize) -> Self {
        Self {
            shape,
            weights,
            attention: Attention::new(heads(shape), threads),
            hidden: Vec::new(),
            qkv: Vec::new(),
            attended: Vec::new(),
            inner: Vec::new(),
            projected: Vec::new(),
            rows: Vec::new(),
            row: 0,
        }
    }

    /// Whether the model tells two texts apart.
    pub(crate) fn knows_pairs(&self) -> bool {
        self.weights.kinds.len() > 1
    }

    /// Computes `batch`, whose spans are `sequences`; `cells` hold one layer's keys and values at a time.
    pub(crate) fn run(
        &mut self,
        compute: &mut Compute,
        cells: &mut Cells,
        batch: &Batch,
        sequences: &[Sequence<'_>],
        pooling: &[Pooling],
    ) -> Result<()> {
        let width = self.shape.width as usize;
        self.rows.clear();
        self.row = width * pooling.len();
        if batch.tokens.is_empty() {
            return Ok(());
        }
        self.begin(compute, batch)?;
        self.attention.plan(sequences);
        let rule =
            Rule { scale: (heads(self.shape).size as f32).sqrt().recip(), cap: None, window: None, causal: false };
        let weights = self.weights;
        let rows = batch.tokens.len();
        for layer in &weights.layers {
            layer.qkv.run(compute, &self.hidden, rows, &mut self.qkv)?;
            let mut first = 0;
            for sequence in sequences {
                cells.write(sequence, &self.qkv[first * 3 * width..], 3 * width, width);
                first += sequence.rows;
            }
            let on = (&mut compute.pool, compute.isa);
            self.attention.run(on, (cells, &rule), sequences, (&self.qkv, 3 * width), &mut self.attended);
            layer.attention_output.run(compute, &self.attended, rows, &mut self.projected)?;
            self.add(compute, &layer.attention_norm);
            self.feed_forward(compute, &layer.up, &layer.down, rows)?;
            self.add(compute, &layer.feed_forward_norm);
        }
        Pooling::pool_spans(pooling, batch, &self.hidden, width, &mut self.rows);
        Ok(())
    }

    /// Adds up what each token is, where it stands, and to which of two texts it belongs.
    fn begin(&mut self, compute: &mut Compute, batch: &Batch) -> Result<()> {
        let (shape, weights, width) = (self.shape, self.weights, self.shape.width as usize);
        let count = batch.tokens.len();
        for (buffer, columns) in [
            (&mut self.hidden, width),
            (&mut self.qkv, 3 * width),
            (&mut self.attended, width),
            (&mut self.inner, shape.feed_forward as usize),
            (&mut self.projected, width),
        ] {
            memory::resize(buffer, count * columns, 0.0, "what a step computes")?;
        }
        let positions: Vec<_> = batch.spans.iter().flat_map(|span| 0..span.tokens.len()).collect();
        let seconds = batch.spans.iter().flat_map(|span| (0..span.tokens.len()).map(|at| at >= span.second as usize));
        let kinds: Vec<_> = seconds.map(usize::from).collect();
        for_rows(compute, &mut self.projected, width, |row, out| weights.positions.row(positions[row], out));
        for_rows(compute, &mut self.hidden, width, |row, out| {
            weights.words.row(batch.tokens[row].0 as usize, out);
            out.iter_mut().zip(&weights.kinds[kinds[row]]).for_each(|(number, kind)| *number += kind);
        });
        self.add(compute, &weights.norm);
        Ok(())
    }

    fn feed_forward(&mut self, compute: &mut Compute, up: &Linear, down: &Linear, rows: usize) -> Result<()> {
        let (isa, activation) = (compute.isa, self.shape.activation);
        up.run(compute, &self.hidden, rows, &mut self.inner)?;
        for_rows(compute, &mut self.inner, self.shape.feed_forward as usize, |_, row| {
            function::apply(isa, activation, row);
        });
        down.run(compute, &self.inner, rows, &mut self.projected)
    }

    /// Adds what was computed to the hidden state, and normalises it.
    fn add(&mut self, compute: &mut Compute, norm: &Norm) {
        let (width, epsilon, isa) = (self.shape.width as usize, self.shape.norm_epsilon, compute.isa);
        let projected = &self.projected;
        for_rows(compute, &mut self.hidden, width, |row, hidden| {
            each::add_scaled(isa, &projected[row * width..][..width], 1.0, hidden);
            each::layer_norm_in_place(isa, hidden, &norm.weight, &norm.bias, epsilon);
        });
    }
}

impl Rows for Forward<'_> {
    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.row..][..self.row]
    }
}

/// How the model's queries, keys and values are cut.
pub(super) fn heads(shape: &Encoder) -> Heads {
    let heads = shape.heads as usize;
    Heads { query: heads, kv: heads, size: shape.width as usize / heads }
}
