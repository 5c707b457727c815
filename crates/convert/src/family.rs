//! The architectures that are converted: their names in both formats, and what sets their tensors apart.

use trillm_formats::huggingface::{Activation, Family};

use crate::{Error, Result};

/// How the converters of one architecture treat it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Architecture {
    /// `general.architecture`.
    pub(crate) gguf: &'static str,
    /// What a GGUF file of this architecture is taken for.
    pub(crate) family: Family,
    /// `model_type` of `config.json`.
    pub(crate) model_type: &'static str,
    /// `architectures` of `config.json`.
    pub(crate) class: &'static str,
    /// Rows of query and key matrices are moved, because llama.cpp rotates neighbours (`LLAMA_ROPE_TYPE_NORM`).
    pub(crate) moves_rows: bool,
    /// The parts of a layer: name in GGUF, name in Hugging Face.
    parts: &'static [&'static [(&'static str, &'static str)]],
}

/// Parts that all have.
const COMMON: &[(&str, &str)] =
    &[("attn_norm", "input_layernorm"), ("attn_output", "self_attn.o_proj"), ("ffn_down", "mlp.down_proj")];
/// Separate matrices.
const SPLIT: &[(&str, &str)] = &[
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
];
/// Phi-3's: both formats have query, key and value, and gate and up, in one matrix and in this order.
const FUSED: &[(&str, &str)] = &[("attn_qkv", "self_attn.qkv_proj"), ("ffn_up", "mlp.gate_up_proj")];
/// A norm before each part.
const PRE_NORMS: &[(&str, &str)] = &[("ffn_norm", "post_attention_layernorm")];
/// Gemma's: a norm before and after each part.
const FOUR_NORMS: &[(&str, &str)] = &[
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];
/// Norms of queries and keys.
const QK_NORMS: &[(&str, &str)] = &[("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")];
/// Tensors outside of layers.
const OUTSIDE: &[(&str, &str)] = &[
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

const PLAIN: &[&[(&str, &str)]] = &[COMMON, SPLIT, PRE_NORMS];

#[rustfmt::skip]
const ARCHITECTURES: &[Architecture] = &[
    Architecture { gguf: "llama", family: Family::Llama, model_type: "llama", class: "LlamaForCausalLM", moves_rows: true, parts: PLAIN },
    Architecture { gguf: "qwen2", family: Family::Qwen2, model_type: "qwen2", class: "Qwen2ForCausalLM", moves_rows: false, parts: PLAIN },
    Architecture { gguf: "qwen3", family: Family::Qwen3, model_type: "qwen3", class: "Qwen3ForCausalLM", moves_rows: false, parts: &[COMMON, SPLIT, PRE_NORMS, QK_NORMS] },
    Architecture { gguf: "smollm3", family: Family::SmolLm3, model_type: "smollm3", class: "SmolLM3ForCausalLM", moves_rows: true, parts: PLAIN },
    Architecture { gguf: "gemma2", family: Family::Gemma2, model_type: "gemma2", class: "Gemma2ForCausalLM", moves_rows: false, parts: &[COMMON, SPLIT, FOUR_NORMS] },
    Architecture { gguf: "gemma3", family: Family::Gemma3, model_type: "gemma3_text", class: "Gemma3ForCausalLM", moves_rows: false, parts: &[COMMON, SPLIT, FOUR_NORMS, QK_NORMS] },
    Architecture { gguf: "phi3", family: Family::Phi3, model_type: "phi3", class: "Phi3ForCausalLM", moves_rows: false, parts: &[COMMON, FUSED, PRE_NORMS] },
    Architecture { gguf: "granite", family: Family::Granite, model_type: "granite", class: "GraniteForCausalLM", moves_rows: true, parts: PLAIN },
];

impl Architecture {
    /// The architecture that a GGUF file names.
    pub(crate) fn of_gguf(name: &str) -> Result<&'static Self> {
        ARCHITECTURES.iter().find(|architecture| architecture.gguf == name).ok_or_else(|| {
            let known: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.gguf).collect();
            Error::Architecture { found: format!("{name:?}"), expected: known.join(", ") }
        })
    }

    /// The architecture of a family. Mistral is Llama to llama.cpp.
    pub(crate) fn of_family(family: Family) -> &'static Self {
        let family = if family == Family::Mistral { Family::Llama } else { family };
        ARCHITECTURES
            .iter()
            .find(|architecture| architecture.family == family)
            .expect("every family but Mistral has an entry above")
    }

    /// Whether norms multiply by 1 + weight, and GGUF holds the sum (`norm_shift` of the converter).
    pub(crate) fn norm_adds_one(&self) -> bool {
        matches!(self.family, Family::Gemma2 | Family::Gemma3)
    }

    /// What llama.cpp has between the halves of the feed-forward part. No key says it.
    pub(crate) fn activation(&self) -> Activation {
        if self.norm_adds_one() { Activation::GeluTanh } else { Activation::Silu }
    }

    /// The parts of a layer, by their names in GGUF.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.all_parts().map(|(part, _)| *part)
    }

    /// The name in Hugging Face of a tensor in GGUF.
    pub(crate) fn to_huggingface(&self, name: &str) -> Option<String> {
        if let Some((_, other)) = OUTSIDE.iter().find(|(gguf, _)| *gguf == name) {
            return Some((*other).into());
        }
        let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, suffix) = part.rsplit_once('.').filter(|(_, suffix)| is_suffix(suffix))?;
        let (_, other) = self.all_parts().find(|(gguf, _)| *gguf == part)?;
        Some(format!("model.layers.{}.{other}.{suffix}", number(layer)?))
    }

    /// The name in GGUF of a tensor in Hugging Face.
    pub(crate) fn to_gguf(&self, name: &str) -> Option<String> {
        if let Some((other, _)) = OUTSIDE.iter().find(|(_, huggingface)| *huggingface == name) {
            return Some((*other).into());
        }
        let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
        let (part, suffix) = part.rsplit_once('.').filter(|(_, suffix)| is_suffix(suffix))?;
        let (other, _) = self.all_parts().find(|(_, huggingface)| *huggingface == part)?;
        Some(format!("blk.{}.{other}.{suffix}", number(layer)?))
    }

    fn all_parts(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.parts.iter().copied().flatten()
    }
}

/// The name that transformers has for an activation.
pub(crate) fn name_of(activation: Activation) -> &'static str {
    match activation {
        Activation::Silu => "silu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
        Activation::Gelu => "gelu",
    }
}

fn is_suffix(suffix: &str) -> bool {
    suffix == "weight" || suffix == "bias"
}

/// A layer's number, if it is written as a number is.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for architecture in ARCHITECTURES {
            let parts = architecture.parts().map(|part| format!("blk.11.{part}.weight"));
            for name in parts.chain(OUTSIDE.iter().map(|(name, _)| (*name).to_owned())) {
                let other = architecture.to_huggingface(&name).unwrap();
                assert_eq!(architecture.to_gguf(&other).as_deref(), Some(name.as_str()));
            }
            assert_eq!(architecture.to_huggingface("blk.01.attn_norm.weight"), None);
            assert_eq!(architecture.to_gguf("model.layers.0.mlp.router.weight"), None);
        }
    }
}
