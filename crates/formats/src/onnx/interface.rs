//! What a graph takes and gives: how a language model is exported, by whichever tool.

use std::collections::BTreeMap;

use trillm_core::{CacheType, Layer};

use super::data_type::DataType;

/// How a graph is run.
#[derive(Clone, PartialEq, Debug)]
pub enum Interface {
    /// Tokens to scores.
    Decoder(Decoder),
    /// Texts to vectors.
    Encoder(Encoder),
}

impl Interface {
    /// The name of the output that is asked for: scores or vectors.
    pub(super) fn output(&self) -> &str {
        match self {
            Self::Decoder(decoder) => &decoder.scores.name,
            Self::Encoder(encoder) => &encoder.vectors.name,
        }
    }
}

/// A graph that gives scores for the next token.
#[derive(Clone, PartialEq, Debug)]
pub struct Decoder {
    /// Inputs besides the cache, in the order of the graph.
    pub feeds: Vec<Feed>,
    /// The output with scores, `[batch, sequence, vocabulary]`.
    pub scores: Output,
    /// Numbers in a row of scores.
    pub vocabulary: u32,
    /// Rows of the token embedding, as far as the graph shows it: no token beyond them can be an input.
    pub embedded: Option<u32>,
    /// How earlier positions are kept.
    pub cache: Cache,
    /// Whether [`Skeleton::model`](super::Skeleton::model) was changed to compute the scores of the last position alone:
    /// the output's sequence axis has length 1 then, whatever the input's.
    pub last_row: bool,
    /// Whether a row's result depends on the other rows of its batch: activations are quantized with one scale for all
    /// of them (`DynamicQuantizeLinear`). Such rows must be run alone.
    pub mixes_rows: bool,
}

impl Decoder {
    /// Tokens that can be both given and chosen.
    pub fn rows(&self) -> u32 {
        self.embedded.map_or(self.vocabulary, |embedded| embedded.min(self.vocabulary))
    }
}

/// A graph that gives vectors.
#[derive(Clone, PartialEq, Debug)]
pub struct Encoder {
    /// Inputs, in the order of the graph.
    pub feeds: Vec<Feed>,
    /// The output with vectors.
    pub vectors: Output,
    /// Whether the graph pools: `vectors` is `[batch, width]` then, else `[batch, sequence, width]`.
    pub pooled: bool,
    /// Whether that vector is a score for each label that a text may have: a classifier.
    pub labels: bool,
    /// Numbers in a vector.
    pub width: u32,
    /// As [`Decoder::embedded`].
    pub embedded: Option<u32>,
    /// As [`Decoder::mixes_rows`].
    pub mixes_rows: bool,
}

/// An input that is neither weights nor cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feed {
    /// Its name in the graph.
    pub name: String,
    /// What it means.
    pub role: Role,
    /// Element type: `I64` or `I32` for all but [`Role::UseCache`], which is `Bool`.
    pub element: DataType,
}

/// What an input means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Token ids, `[batch, sequence]`.
    Tokens,
    /// 1 where a position counts and 0 where not, `[batch, past + sequence]`.
    Mask,
    /// The position of each token, `[batch, sequence]`.
    Positions,
    /// The position of each token in the cache, `[sequence]`.
    CachePositions,
    /// Which of two texts a token belongs to, `[batch, sequence]`: 0 or 1.
    TokenTypes,
    /// Whether the cache holds anything, `[1]`: graphs with two branches.
    UseCache,
    /// How many last positions to give scores for: a scalar, or `[1]`.
    ScoresKept {
        /// Whether it has a dimension.
        vector: bool,
    },
}

/// An output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// Its name in the graph.
    pub name: String,
    /// Element type: `F32` or `F16`.
    pub element: DataType,
}

impl Cache {
    /// The tensors that are inputs and outputs of each run.
    pub fn tensors(&self) -> &[CacheTensor] {
        match self {
            Self::None => &[],
            Self::Grown(tensors) | Self::Shared(tensors) => tensors,
        }
    }

    /// What each layer keeps; nothing without tensors, and then nobody says how many layers there are.
    pub(super) fn kept(&self) -> Vec<Layer> {
        let mut layers: BTreeMap<u32, Layer> = BTreeMap::new();
        for tensor in self.tensors() {
            let layer = layers.entry(tensor.layer).or_default();
            layer.kv_heads = tensor.heads;
            if tensor.part != Part::Value {
                layer.key = tensor.width;
            }
            if tensor.part != Part::Key {
                layer.value = tensor.width;
            }
        }
        layers.into_values().collect()
    }

    /// The type of what is kept: the graph fixes it.
    pub(super) fn element(&self) -> Option<CacheType> {
        match self.tensors().first()?.element {
            DataType::F16 => Some(CacheType::F16),
            _ => Some(CacheType::F32),
        }
    }
}

/// How a decoder keeps earlier positions.
#[derive(Clone, PartialEq, Debug)]
pub enum Cache {
    /// It does not: each step computes the whole sequence.
    None,
    /// Each step takes the cache and gives a longer one (`Concat`).
    Grown(Vec<CacheTensor>),
    /// Each step writes new positions into a buffer that is input and output at once (`GroupQueryAttention`).
    Shared(Vec<CacheTensor>),
}

/// One tensor of the cache, `[batch, heads, positions, width]`; two of them, `[2, batch, heads, positions, width]`, if
/// keys and values are one tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheTensor {
    /// The input.
    pub past: String,
    /// The output.
    pub present: String,
    /// Element type: `F32` or `F16`.
    pub element: DataType,
    /// Key-value heads.
    pub heads: u32,
    /// Numbers in a head.
    pub width: u32,
    /// The layer that it is of, by its number in the names.
    pub layer: u32,
    /// What it holds.
    pub part: Part,
}

/// What part of the cache a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Keys and values in one tensor.
    Both,
}
