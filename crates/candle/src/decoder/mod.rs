//! A decoder of any supported family: its weights, and one step through them.

mod forward;
mod load;
mod rope;
mod session;

pub(crate) use load::load;
pub(crate) use session::{DecoderSession, is_half};

use trillm_formats::huggingface::Attention;

use crate::linear::Linear;
use crate::weights::Weight;

/// All weights of a decoder.
pub(crate) struct DecoderWeights {
    embedding: Weight,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    output: Output,
}

/// What turns a hidden state into scores.
enum Output {
    Embedding,
    /// A matrix of its own.
    Own(Weight),
    /// The model only makes vectors.
    None,
}

/// One layer. Norms are widened and have Gemma's 1 added.
struct Layer {
    attention: Attention,
    attention_norm: Vec<f32>,
    /// Queries, keys and values, side by side.
    qkv: Linear,
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    attention_output: Linear,
    after_attention: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    /// Gate and up, side by side.
    gate_up: Linear,
    down: Linear,
    after_feed_forward: Option<Vec<f32>>,
}
