//! From tensors to layers: which name stands for what in each family.

use trillm_core::Result;
use trillm_formats::huggingface::Decoder;

use super::{DecoderWeights, Layer, Output};
use crate::linear::Linear;
use crate::weights::Weights;

/// Takes a decoder's weights out of `weights`. `told` is asked after each layer whether to go on.
pub(crate) fn load(
    shape: &Decoder,
    weights: &mut Weights<'_>,
    mut told: impl FnMut(f32) -> Result<()>,
) -> Result<DecoderWeights> {
    const EMBEDDING: &str = "model.embed_tokens.weight";
    let (width, vocabulary) = (shape.width as usize, shape.vocabulary as usize);
    let count = shape.layers.len();
    // Where the embedding is the output matrix, too, it is multiplied with and may be quantized; else only looked up.
    let embedding = if shape.tied {
        weights.matrix(EMBEDDING, vocabulary, width)?
    } else {
        weights.table(EMBEDDING, vocabulary, width)?
    };
    let output = if shape.tied {
        Output::Embedding
    } else if shape.headless {
        Output::None
    } else {
        Output::Own(weights.matrix("lm_head.weight", vocabulary, width)?)
    };
    let mut layers = Vec::with_capacity(count);
    for index in 0..count {
        let mut part = Part { shape, weights, prefix: format!("model.layers.{index}.") };
        layers.push(part.layer(index)?);
        told((index + 1) as f32 / count as f32)?;
    }
    let norm = Part { shape, weights, prefix: "model.".into() }.norm("norm", width)?;
    Ok(DecoderWeights { embedding, layers, norm, output })
}

/// Tensors under one prefix.
struct Part<'w, 'c, 's> {
    shape: &'s Decoder,
    weights: &'w mut Weights<'c>,
    prefix: String,
}

impl Part<'_, '_, '_> {
    fn layer(&mut self, index: usize) -> Result<Layer> {
        let shape = self.shape;
        let (width, head) = (shape.width as usize, shape.head as usize);
        let (query, kv) = (shape.heads as usize * head, shape.kv_heads as usize * head);
        let feed_forward = shape.feed_forward as usize;
        let bias = |wanted: bool, length: usize| wanted.then_some(length);

        let qkv = if shape.fused {
            self.linear(&[("self_attn.qkv_proj", query + 2 * kv)], width, shape.qkv_bias)?
        } else {
            let parts = [("self_attn.q_proj", query), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)];
            self.linear(&parts, width, shape.qkv_bias)?
        };
        let gate_up = if shape.fused {
            self.linear(&[("mlp.gate_up_proj", 2 * feed_forward)], width, shape.mlp_bias)?
        } else {
            self.linear(&[("mlp.gate_proj", feed_forward), ("mlp.up_proj", feed_forward)], width, shape.mlp_bias)?
        };
        // With norms on both sides, the one before the feed-forward part has a name of its own.
        let (before, after) = if shape.post_norms {
            ("pre_feedforward_layernorm", Some("post_attention_layernorm"))
        } else {
            ("post_attention_layernorm", None)
        };
        let last = shape.post_norms.then_some("post_feedforward_layernorm");
        let qk = bias(shape.qk_norm, head);
        Ok(Layer {
            attention: shape.layers[index],
            attention_norm: self.norm("input_layernorm", width)?,
            qkv,
            query_norm: qk.map(|length| self.norm("self_attn.q_norm", length)).transpose()?,
            key_norm: qk.map(|length| self.norm("self_attn.k_norm", length)).transpose()?,
            attention_output: self.linear(&[("self_attn.o_proj", width)], query, shape.output_bias)?,
            after_attention: after.map(|name| self.norm(name, width)).transpose()?,
            feed_forward_norm: self.norm(before, width)?,
            gate_up,
            down: self.linear(&[("mlp.down_proj", width)], feed_forward, shape.mlp_bias)?,
            after_feed_forward: last.map(|name| self.norm(name, width)).transpose()?,
        })
    }

    fn linear(&mut self, parts: &[(&str, usize)], inputs: usize, bias: bool) -> Result<Linear> {
        let mut linear = Linear::default();
        for (name, outputs) in parts {
            let weight = self.weights.matrix(&format!("{}{name}.weight", self.prefix), *outputs, inputs)?;
            let bias =
                bias.then(|| self.weights.vector(&format!("{}{name}.bias", self.prefix), *outputs)).transpose()?;
            linear.push(weight, bias);
        }
        Ok(linear)
    }

    fn norm(&mut self, name: &str, length: usize) -> Result<Vec<f32>> {
        let mut weight = self.weights.vector(&format!("{}{name}.weight", self.prefix), length)?;
        if self.shape.norm_adds_one {
            for number in &mut weight {
                *number += 1.0;
            }
        }
        Ok(weight)
    }
}
