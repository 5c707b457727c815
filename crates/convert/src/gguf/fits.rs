//! Whether llama.cpp would run a folder's model: what it computes for an architecture whatever a file says, and the
//! tensors that it looks for.
//!
//! A file that it refuses, or runs as another model, is not written. Facts are those of `src/models` of llama.cpp.

use std::collections::BTreeMap;

use trillm_formats::huggingface::{Decoder, Family};

use crate::family::{Architecture, name_of};
use crate::plan::Planned;
use crate::{Error, Result};

/// Checks a decoder and its `tensors`, which have their names in GGUF.
pub(crate) fn check(decoder: &Decoder, architecture: &Architecture, tensors: &[Planned]) -> Result<()> {
    check_arithmetic(decoder, architecture)?;
    check_biases(decoder, architecture)?;
    let mut needed = needed(decoder, architecture);
    for tensor in tensors {
        let name = architecture.to_huggingface(&tensor.name).unwrap_or_else(|| tensor.name.clone());
        let Some(shape) = needed.remove(&tensor.name) else {
            let expected = format!("none in a model of {} layers with this config.json", decoder.layers.len());
            return Err(Error::unsupported(format!("the tensor {name}"), "there", expected));
        };
        if tensor.shape != shape {
            let found = format!("{:?}", tensor.shape);
            return Err(Error::unsupported(format!("the shape of {name}"), found, format!("{shape:?}")));
        }
    }
    // A model that makes vectors has none, and one that is tied has the embedding.
    needed.remove(OUTPUT);
    match needed.first_key_value() {
        None => Ok(()),
        Some((name, shape)) => {
            let name = architecture.to_huggingface(name).unwrap_or_else(|| name.clone());
            Err(Error::missing(format!("the tensor {name}"), format!("one of shape {shape:?}")))
        }
    }
}

const OUTPUT: &str = "output.weight";

fn check_arithmetic(decoder: &Decoder, architecture: &Architecture) -> Result<()> {
    let kind = architecture.gguf;
    if decoder.activation != architecture.activation() {
        let expected = format!("{}, which llama.cpp computes with", name_of(architecture.activation()));
        return Err(Error::unsupported("the activation", name_of(decoder.activation), expected));
    }
    if kind == "gemma2" {
        for (key, cap) in
            [("attn_logit_softcapping", decoder.attention_cap), ("final_logit_softcapping", decoder.logit_cap)]
        {
            if cap.is_none() {
                return Err(Error::unsupported(key, "null", "a number: llama.cpp caps in every gemma2 model"));
            }
        }
        if !decoder.tied && !decoder.headless {
            let expected = "the embedding: llama.cpp has no other for the architecture gemma2";
            return Err(Error::unsupported("the output matrix", "one of its own", expected));
        }
    }
    if matches!(kind, "qwen2" | "phi3") && decoder.head * decoder.heads != decoder.width {
        let expected = format!(
            "the width {} divided by the {} heads, which llama.cpp computes with in a {kind} model",
            decoder.width, decoder.heads
        );
        return Err(Error::unsupported("the size of a head", decoder.head, expected));
    }
    Ok(())
}

/// Only two architectures have places for biases behind attention and in the feed-forward part.
fn check_biases(decoder: &Decoder, architecture: &Architecture) -> Result<()> {
    let everywhere = matches!(architecture.family, Family::Llama | Family::Granite);
    let keys = [("attention_bias", decoder.output_bias), ("mlp_bias", decoder.mlp_bias)];
    match keys.iter().find(|(_, biased)| *biased && !everywhere) {
        None => Ok(()),
        Some((key, _)) => {
            let expected = format!("false: llama.cpp has no such biases in a {} model", architecture.gguf);
            Err(Error::unsupported(*key, true, expected))
        }
    }
}

/// All tensors that a model of this kind has, with their shapes.
fn needed(decoder: &Decoder, architecture: &Architecture) -> BTreeMap<String, Vec<u64>> {
    let [width, head, inner, vocabulary] =
        [decoder.width, decoder.head, decoder.feed_forward, decoder.vocabulary].map(u64::from);
    let (queries, keys) = (head * u64::from(decoder.heads), head * u64::from(decoder.kv_heads));
    // The matrix of a part and whether it has a bias; `None` for a norm.
    let matrix = |part: &str| match part {
        "attn_q" => Some((queries, width, decoder.qkv_bias)),
        "attn_k" | "attn_v" => Some((keys, width, decoder.qkv_bias)),
        "attn_qkv" => Some((queries + 2 * keys, width, decoder.qkv_bias)),
        "attn_output" => Some((width, queries, decoder.output_bias)),
        "ffn_up" if decoder.fused => Some((2 * inner, width, decoder.mlp_bias)),
        "ffn_gate" | "ffn_up" => Some((inner, width, decoder.mlp_bias)),
        "ffn_down" => Some((width, inner, decoder.mlp_bias)),
        _ => None,
    };
    let mut needed = BTreeMap::from([
        ("token_embd.weight".to_owned(), vec![vocabulary, width]),
        ("output_norm.weight".to_owned(), vec![width]),
        (OUTPUT.to_owned(), vec![vocabulary, width]),
    ]);
    for layer in 0..decoder.layers.len() {
        for part in architecture.parts() {
            let weight = format!("blk.{layer}.{part}.weight");
            let Some((rows, columns, biased)) = matrix(part) else {
                let of_head = matches!(part, "attn_q_norm" | "attn_k_norm");
                needed.insert(weight, vec![if of_head { head } else { width }]);
                continue;
            };
            needed.insert(weight, vec![rows, columns]);
            if biased {
                needed.insert(format!("blk.{layer}.{part}.bias"), vec![rows]);
            }
        }
    }
    needed
}
