//! From tensors to layers, by the names that `BertModel` of transformers gives them.

use trillm_core::Result;
use trillm_formats::huggingface::Encoder;

use super::{EncoderWeights, Layer, Norm};
use crate::linear::Linear;
use crate::weights::Weights;

/// What the name of the token embedding ends in; what stands before it stands before all names.
const EMBEDDING: &str = "embeddings.word_embeddings.weight";

/// Takes an encoder's weights out of `weights`. `told` is asked after each layer whether to go on.
pub(crate) fn load(
    shape: &Encoder,
    weights: &mut Weights<'_>,
    mut told: impl FnMut(f32) -> Result<()>,
) -> Result<EncoderWeights> {
    let mut names = weights.checkpoint().tensors.keys();
    let prefix = names.find_map(|name| name.strip_suffix(EMBEDDING)).unwrap_or_default().to_owned();
    let (width, count) = (shape.width as usize, shape.layers as usize);
    let words = weights.table(&format!("{prefix}{EMBEDDING}"), shape.vocabulary as usize, width)?;
    let positions = format!("{prefix}embeddings.position_embeddings.weight");
    let positions = weights.table(&positions, shape.context as usize, width)?;
    let kinds = weights.first_rows(&format!("{prefix}embeddings.token_type_embeddings.weight"), 2, width)?;
    let norm = Part { shape, weights, prefix: prefix.clone() }.norm("embeddings.LayerNorm")?;
    let mut layers = Vec::with_capacity(count);
    for index in 0..count {
        layers.push(Part { shape, weights, prefix: format!("{prefix}encoder.layer.{index}.") }.layer()?);
        told((index + 1) as f32 / count as f32)?;
    }
    Ok(EncoderWeights { words, positions, kinds, norm, layers })
}

/// Tensors under one prefix.
struct Part<'w, 'c, 's> {
    shape: &'s Encoder,
    weights: &'w mut Weights<'c>,
    prefix: String,
}

impl Part<'_, '_, '_> {
    fn layer(&mut self) -> Result<Layer> {
        let (width, feed_forward) = (self.shape.width as usize, self.shape.feed_forward as usize);
        let mut qkv = Linear::default();
        for name in ["query", "key", "value"] {
            self.add(&mut qkv, &format!("attention.self.{name}"), width, width)?;
        }
        Ok(Layer {
            qkv,
            attention_output: self.linear("attention.output.dense", width, width)?,
            attention_norm: self.norm("attention.output.LayerNorm")?,
            up: self.linear("intermediate.dense", feed_forward, width)?,
            down: self.linear("output.dense", width, feed_forward)?,
            feed_forward_norm: self.norm("output.LayerNorm")?,
        })
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        let mut linear = Linear::default();
        self.add(&mut linear, name, outputs, inputs)?;
        Ok(linear)
    }

    fn add(&mut self, linear: &mut Linear, name: &str, outputs: usize, inputs: usize) -> Result<()> {
        let weight = self.weights.matrix(&format!("{}{name}.weight", self.prefix), outputs, inputs)?;
        let bias = self.weights.vector(&format!("{}{name}.bias", self.prefix), outputs)?;
        linear.push(weight, Some(bias));
        Ok(())
    }

    fn norm(&mut self, name: &str) -> Result<Norm> {
        let width = self.shape.width as usize;
        let weight = self.weights.vector(&format!("{}{name}.weight", self.prefix), width)?;
        let bias = self.weights.vector(&format!("{}{name}.bias", self.prefix), width)?;
        Ok(Norm { weight, bias })
    }
}
