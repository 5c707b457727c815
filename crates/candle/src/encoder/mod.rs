//! BERT and its like: every token sees all others of its text, and a text becomes one vector.

mod forward;
mod function;
mod load;
mod session;

pub(crate) use load::load;
pub(crate) use session::EncoderSession;

use crate::linear::Linear;
use crate::weights::Weight;

/// All weights of an encoder.
pub(crate) struct EncoderWeights {
    words: Weight,
    positions: Weight,
    /// Added to every token: whether it belongs to the first or the second of two texts. A model may know only the
    /// first.
    kinds: Vec<Vec<f32>>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// What a layer norm multiplies by and adds.
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    /// Queries, keys and values, side by side.
    qkv: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    feed_forward_norm: Norm,
}
