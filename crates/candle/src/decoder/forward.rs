//! One step of a decoder: packed tokens of several sequences in, rows for those that asked out.

use trillm_core::{Batch, Pooling, Result, Rows, memory};
use trillm_formats::huggingface::{Activation, Decoder};
use trillm_kernels::{Attention, Cells, Compute, Heads, Rule, Sequence, elementwise as each};

use super::rope::Rotation;
use super::{DecoderWeights, Layer, Output};
use crate::compute::for_rows;
use crate::linear::forward;

/// The weights, and what a step works in. Its memory grows to the largest step and is kept.
pub(crate) struct Forward<'m> {
    shape: &'m Decoder,
    weights: &'m DecoderWeights,
    rotations: Vec<Rotation>,
    attention: Attention,
    hidden: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    activated: Vec<f32>,
    projected: Vec<f32>,
    /// What was asked for.
    rows: Vec<f32>,
    /// Numbers in one of them.
    row: usize,
}

impl<'m> Forward<'m> {
    /// For sequences of up to `context` tokens, on `threads`.
    pub(crate) fn new(shape: &'m Decoder, weights: &'m DecoderWeights, context: u32, threads: usize) -> Self {
        let heads = heads(shape);
        Self {
            shape,
            weights,
            rotations: shape.ropes.iter().map(|rope| Rotation::new(rope, context)).collect(),
            attention: Attention::new(heads, threads),
            hidden: Vec::new(),
            normed: Vec::new(),
            qkv: Vec::new(),
            attended: Vec::new(),
            gate_up: Vec::new(),
            activated: Vec::new(),
            projected: Vec::new(),
            rows: Vec::new(),
            row: 0,
        }
    }

    /// Computes `batch`, whose spans are `sequences`, and keeps its keys and values in `cells`. The rows are scores, or
    /// vectors pooled as `pooling` says.
    pub(crate) fn run(
        &mut self,
        compute: &mut Compute,
        cells: &mut [Cells],
        batch: &Batch,
        sequences: &[Sequence<'_>],
        pooling: Option<&[Pooling]>,
    ) -> Result<()> {
        self.row = 0;
        if batch.tokens.is_empty() {
            return Ok(());
        }
        self.begin(compute, batch)?;
        self.attention.plan(sequences);
        let weights = self.weights;
        for (layer, cells) in weights.layers.iter().zip(cells) {
            self.attend(compute, layer, cells, sequences)?;
            self.feed_forward(compute, layer)?;
        }
        match pooling {
            None => self.scores(compute, batch),
            Some(pooling) => {
                self.vectors(compute, batch, pooling);
                Ok(())
            }
        }
    }

    /// Looks up the tokens, and by how much each position is rotated.
    fn begin(&mut self, compute: &mut Compute, batch: &Batch) -> Result<()> {
        let (shape, width) = (self.shape, self.shape.width as usize);
        let count = batch.tokens.len();
        let query = shape.heads as usize * shape.head as usize;
        let kv = shape.kv_heads as usize * shape.head as usize;
        let feed_forward = shape.feed_forward as usize;
        for (buffer, columns) in [
            (&mut self.hidden, width),
            (&mut self.normed, width),
            (&mut self.qkv, query + 2 * kv),
            (&mut self.attended, query),
            (&mut self.gate_up, 2 * feed_forward),
            (&mut self.activated, feed_forward),
            (&mut self.projected, width),
        ] {
            memory::resize(buffer, count * columns, 0.0, "what a step computes")?;
        }

        let embedding = &self.weights.embedding;
        for_rows(compute, &mut self.hidden, width, |row, out| {
            embedding.row(batch.tokens[row].0 as usize, out);
            scale(out, shape.embedding_scale);
        });
        let positions = batch.spans.iter().flat_map(|span| span.start..span.start + span.tokens.len() as u32);
        self.rotations.iter_mut().try_for_each(|rotation| rotation.set(positions.clone(), count))
    }

    fn attend(
        &mut self,
        compute: &mut Compute,
        layer: &Layer,
        cells: &mut Cells,
        sequences: &[Sequence<'_>],
    ) -> Result<()> {
        let heads = heads(self.shape);
        let (query, kv) = (heads.query * heads.size, heads.kv * heads.size);
        let stride = query + 2 * kv;
        let rows = self.hidden.len() / self.shape.width as usize;

        self.norm(compute, &layer.attention_norm);
        layer.qkv.run(compute, &self.normed, rows, &mut self.qkv)?;
        self.place(compute, layer, stride);
        let mut first = 0;
        for sequence in sequences {
            cells.write(sequence, &self.qkv[first * stride..], stride, query);
            first += sequence.rows;
        }
        let rule = Rule {
            scale: self.shape.attention_scale,
            cap: self.shape.attention_cap,
            window: layer.attention.window.map(|window| window as usize),
            causal: self.shape.causal,
        };
        let on = (&mut compute.pool, compute.isa);
        self.attention.run(on, (cells, &rule), sequences, (&self.qkv, stride), &mut self.attended);
        layer.attention_output.run(compute, &self.attended, rows, &mut self.projected)?;
        self.add(compute, layer.after_attention.as_deref());
        Ok(())
    }

    /// Normalises queries and keys where the family does, and rotates them to their positions.
    fn place(&mut self, compute: &mut Compute, layer: &Layer, stride: usize) {
        let heads = heads(self.shape);
        let epsilon = self.shape.norm_epsilon;
        let isa = compute.isa;
        let rotation = layer.attention.rope.map(|index| &self.rotations[index]);
        if rotation.is_none() && layer.query_norm.is_none() {
            return;
        }
        for_rows(compute, &mut self.qkv, stride, |row, numbers| {
            for (index, head) in numbers.chunks_exact_mut(heads.size).take(heads.query + heads.kv).enumerate() {
                let norm = if index < heads.query { &layer.query_norm } else { &layer.key_norm };
                if let Some(weight) = norm {
                    each::rms_norm_in_place(isa, head, weight, epsilon);
                }
                if let Some(rotation) = rotation {
                    let (cos, sin) = rotation.row(row);
                    each::rotate(isa, &mut head[..2 * cos.len()], cos, sin);
                }
            }
        });
    }

    fn feed_forward(&mut self, compute: &mut Compute, layer: &Layer) -> Result<()> {
        let rows = self.hidden.len() / self.shape.width as usize;
        let width = self.shape.feed_forward as usize;
        self.norm(compute, &layer.feed_forward_norm);
        layer.gate_up.run(compute, &self.normed, rows, &mut self.gate_up)?;
        let (isa, gate_up, activation) = (compute.isa, &self.gate_up, self.shape.activation);
        for_rows(compute, &mut self.activated, width, |row, out| {
            let (gate, up) = gate_up[2 * row * width..][..2 * width].split_at(width);
            match activation {
                Activation::Silu => each::silu_mul(isa, gate, up, out),
                Activation::GeluTanh => each::gelu_tanh_mul(isa, gate, up, out),
                Activation::Gelu => each::gelu_mul(isa, gate, up, out),
            }
        });
        layer.down.run(compute, &self.activated, rows, &mut self.projected)?;
        self.add(compute, layer.after_feed_forward.as_deref());
        Ok(())
    }

    /// Normalises the hidden state.
    fn norm(&mut self, compute: &mut Compute, weight: &[f32]) {
        let (width, epsilon, isa) = (self.shape.width as usize, self.shape.norm_epsilon, compute.isa);
        let hidden = &self.hidden;
        for_rows(compute, &mut self.normed, width, |row, out| {
            each::rms_norm(isa, &hidden[row * width..][..width], weight, epsilon, out);
        });
    }

    /// Adds what a part of a layer computed to the hidden state, normalised by `norm` if the family does so.
    fn add(&mut self, compute: &mut Compute, norm: Option<&[f32]>) {
        let (width, epsilon, scale) = (self.shape.width as usize, self.shape.norm_epsilon, self.shape.residual_scale);
        let isa = compute.isa;
        if let Some(weight) = norm {
            for_rows(compute, &mut self.projected, width, |_, row| {
                each::rms_norm_in_place(isa, row, weight, epsilon);
            });
        }
        let projected = &self.projected;
        for_rows(compute, &mut self.hidden, width, |row, hidden| {
            each::add_scaled(isa, &projected[row * width..][..width], scale, hidden);
        });
    }

    /// Scores after the last token of each span that asked.
    fn scores(&mut self, compute: &mut Compute, batch: &Batch) -> Result<()> {
        let (width, epsilon, isa) = (self.shape.width as usize, self.shape.norm_epsilon, compute.isa);
        let mut count = 0;
        for span in batch.spans.iter().filter(|span| span.wants_output) {
            let last = &self.hidden[(span.tokens.end - 1) * width..][..width];
            each::rms_norm(isa, last, &self.weights.norm, epsilon, &mut self.normed[count * width..][..width]);
            count += 1;
        }
        self.row = self.shape.vocabulary as usize;
        if count == 0 {
            return Ok(());
        }
        memory::resize(&mut self.rows, count * self.row, 0.0, "the scores of a step")?;
        let matrix = match &self.weights.output {
            Output::Own(matrix) => matrix,
            // A session without an output matrix has been refused: it has no scores.
            Output::Embedding | Output::None => &self.weights.embedding,
        };
        forward(compute, std::slice::from_ref(matrix), &self.normed[..count * width], count, &mut self.rows)?;
        scale(&mut self.rows, self.shape.logit_scale);
        if let Some(cap) = self.shape.logit_cap {
            each::soft_cap(isa, &mut self.rows, cap);
        }
        Ok(())
    }

    /// One vector for each span that asked.
    fn vectors(&mut self, compute: &mut Compute, batch: &Batch, pooling: &[Pooling]) {
        self.norm(compute, &self.weights.norm);
        let width = self.shape.width as usize;
        self.row = width * pooling.len();
        Pooling::pool_spans(pooling, batch, &self.normed, width, &mut self.rows);
    }
}

impl Rows for Forward<'_> {
    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.row..][..self.row]
    }
}

/// Multiplies by a factor that is exactly 1 for most families.
#[expect(clippy::float_cmp, reason = "the factor is what a config file says, not what a sum came to")]
fn scale(numbers: &mut [f32], by: f32) {
    if by != 1.0 {
        for number in numbers {
            *number *= by;
        }
    }
}

/// How the model's queries, keys and values are cut.
pub(super) fn heads(shape: &Decoder) -> Heads {
    Heads { query: shape.heads as usize, kv: shape.kv_heads as usize, size: shape.head as usize }
}
