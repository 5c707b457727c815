//! The weights of a Llama-like model, apart from any file format.

use crate::random::{Random, mix};

/// Sizes of a Llama-like model: rotary positions, grouped queries, gated feed-forward, separate output matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Layers.
    pub layers: u32,
    /// Width of the hidden state.
    pub width: u32,
    /// Query heads; `width / heads` is the size of each.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of the feed-forward part.
    pub feed_forward: u32,
    /// Tokens; at least those of the [`vocabulary`](super::vocabulary()).
    pub vocabulary: u32,
    /// The longest sequence.
    pub context: u32,
}

/// Standard deviation of the weights of norms, around 1.
pub(super) const NORM_DEVIATION: f32 = 0.1;

/// What a tensor is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are the usual ones")]
pub enum Part {
    Embedding,
    AttentionNorm,
    Query,
    Key,
    Value,
    AttentionOutput,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
    OutputNorm,
    Output,
}

/// One tensor: `rows` outputs of `columns` inputs each, row after row. A norm has one row.
///
/// Rows of queries and keys stand as GGUF has them: the two halves of each rotated pair side by side. Formats after
/// Hugging Face's convention want the even rows of a head first, then the odd ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tensor {
    /// What it is for.
    pub part: Part,
    /// Its layer, if it belongs to one.
    pub layer: Option<u32>,
    /// Outputs.
    pub rows: u32,
    /// Inputs.
    pub columns: u32,
}

impl Shape {
    /// Size of one head.
    pub fn head(&self) -> u32 {
        self.width / self.heads
    }

    /// All tensors, in the order files have them.
    pub fn tensors(&self) -> Vec<Tensor> {
        let (width, kv) = (self.width, self.head() * self.kv_heads);
        let parts = [
            (Part::AttentionNorm, 1, width),
            (Part::Query, width, width),
            (Part::Key, kv, width),
            (Part::Value, kv, width),
            (Part::AttentionOutput, width, width),
            (Part::FeedForwardNorm, 1, width),
            (Part::Gate, self.feed_forward, width),
            (Part::Up, self.feed_forward, width),
            (Part::Down, width, self.feed_forward),
        ];
        let tensor = |layer| move |(part, rows, columns)| Tensor { part, layer, rows, columns };
        let mut tensors = vec![tensor(None)((Part::Embedding, self.vocabulary, width))];
        tensors.extend((0..self.layers).flat_map(|layer| parts.map(tensor(Some(layer)))));
        tensors.push(tensor(None)((Part::OutputNorm, 1, width)));
        tensors.push(tensor(None)((Part::Output, self.vocabulary, width)));
        tensors
    }

    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(Tensor::len).sum()
    }
}

impl Tensor {
    /// Number of weights.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }

    /// Whether it is a vector that scales a norm.
    pub fn is_norm(&self) -> bool {
        matches!(self.part, Part::AttentionNorm | Part::FeedForwardNorm | Part::OutputNorm)
    }

    /// Standard deviation of its weights. Attention is made sharp and scores are spread wide, so that the next token
    /// depends on all tokens before it, and the best one is clearly the best.
    pub fn deviation(&self) -> f32 {
        let gain = match self.part {
            Part::Embedding => return 1.0,
            Part::Query | Part::Key => 1.5,
            Part::Output => 3.0,
            _ => 1.0,
        };
        gain / (self.columns as f32).sqrt()
    }

    /// Its random numbers: the same for the same seed, whatever else is written and in which order.
    pub(super) fn random(&self, seed: u64) -> Random {
        let layer = self.layer.map_or(0, |layer| u64::from(layer) + 1);
        Random::new(mix(mix(seed) ^ (layer << 8 | self.part as u64)))
    }

    /// Its weights.
    pub fn weights(&self, seed: u64) -> Vec<f32> {
        let mut random = self.random(seed);
        let (mean, deviation) = if self.is_norm() { (1.0, NORM_DEVIATION) } else { (0.0, self.deviation()) };
        (0..self.len()).map(|_| mean + deviation * random.normal()).collect()
    }
}
