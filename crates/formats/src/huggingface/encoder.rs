//! An encoder's shape: BERT and its like.

use super::decoder::{VOCABULARY, WIDTH};
use super::fields::Fields;
use super::{Function, layers, rope};
use crate::Result;

/// A BERT-like encoder: learned positions, norms after each part, every token sees all others.
#[derive(Clone, PartialEq, Debug)]
pub struct Encoder {
    /// `model_type`, as the file says it.
    pub model_type: String,
    /// Width of the hidden state.
    pub width: u32,
    /// Layers.
    pub layers: u32,
    /// Heads; divides `width`.
    pub heads: u32,
    /// Width of the feed-forward part.
    pub feed_forward: u32,
    /// Rows of the token embedding.
    pub vocabulary: u32,
    /// Rows of the position embedding.
    pub context: u32,
    /// Added to the variance in norms (`layer_norm_eps`).
    pub norm_epsilon: f32,
    /// Activation of the feed-forward part.
    pub activation: Function,
}

impl Encoder {
    /// Reads an encoder from `config.json`; how texts become vectors is in other files.
    pub(super) fn read(config: &Fields<'_>, model_type: &str) -> Result<Self> {
        let size = |key, most| {
            let size = config.count(key, 1, most)?;
            size.ok_or_else(|| config.missing(key, format!("a whole number from 1 to {most}")))
        };
        let (width, heads) = (size("hidden_size", WIDTH)?, size("num_attention_heads", WIDTH)?);
        if !width.is_multiple_of(heads) {
            let expected = format!("a divisor of the width {width}");
            return Err(config.wrong("num_attention_heads", heads.to_string(), expected));
        }
        match config.text("position_embedding_type")? {
            None | Some("absolute") => {}
            Some(other) => return Err(config.wrong("position_embedding_type", format!("{other:?}"), "absolute")),
        }
        if config.flag("is_decoder")?.unwrap_or(false) {
            return Err(config.wrong("is_decoder", "true", "false: an encoder"));
        }
        // Read and dropped: the sentence pairs it is for are not embedded, and the tensor says its own size.
        config.count("type_vocab_size", 0, WIDTH)?;
        Ok(Self {
            model_type: model_type.into(),
            width,
            layers: size("num_hidden_layers", layers::LAYERS)?,
            heads,
            feed_forward: size("intermediate_size", WIDTH)?,
            vocabulary: size("vocab_size", VOCABULARY)?,
            context: size("max_position_embeddings", rope::CONTEXT)?,
            norm_epsilon: config.positive("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            activation: Function::read(config)?,
        })
    }
}
