//! A Llama-like model in Hugging Face's layout: a folder with the weights and the small files beside them.
//!
//! The numbers are those of the GGUF file of the same seed. Two things stand differently: names follow
//! `LlamaForCausalLM`, and rows of queries and keys are in the order that `rotate_half` wants, the first of every pair
//! in the first half of a head. At most a head is held at a time, so that a large model needs no memory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::element::Element;
use super::gguf::TensorType;
use super::tokenizer_json::tokenizer_json;
use super::vocabulary::{BOS, EOS, vocabulary};
use super::weights::{Part, Shape, Tensor};
use super::{pytorch, safetensors};
use crate::CHAT_TEMPLATE;

/// A model as this layout describes it.
pub(super) struct HuggingFace {
    pub(super) seed: u64,
    pub(super) shape: Shape,
    pub(super) kind: TensorType,
    /// Standard deviation of the weights of norms.
    pub(super) norm_deviation: f32,
}

/// The form of the file with the weights.
#[derive(Clone, Copy)]
pub(super) enum Container {
    /// `model.safetensors`.
    Safetensors,
    /// `pytorch_model.bin`.
    Pytorch,
}

impl HuggingFace {
    /// Writes the folder, which is made if it is not there.
    pub(super) fn write(&self, folder: &Path, container: Container) -> io::Result<()> {
        let element = Element::of(self.kind)?;
        fs::create_dir_all(folder)?;
        self.write_config(folder, &element)?;
        self.write_tokenizer(folder)?;

        let tensors = self.shape.tensors();
        let name = |tensor: &Tensor| tensor_name(tensor.part, tensor.layer);
        let named: Vec<_> = tensors.iter().map(|tensor| (name(tensor), dimensions(tensor))).collect();
        let fill = |index: usize, out: &mut dyn Write| self.fill(&tensors[index], &element, out);
        match container {
            Container::Safetensors => safetensors::write(&folder.join("model.safetensors"), &element, &named, fill),
            Container::Pytorch => pytorch::write(&folder.join("pytorch_model.bin"), &element, &named, fill),
        }
    }

    /// Writes what describes the model.
    pub(super) fn write_config(&self, folder: &Path, element: &Element) -> io::Result<()> {
        put_json(folder, "config.json", &self.config(element.config))?;
        put_json(folder, "generation_config.json", &json!({ "bos_token_id": BOS, "eos_token_id": EOS }))
    }

    /// Writes what describes tokens and chats.
    pub(super) fn write_tokenizer(&self, folder: &Path) -> io::Result<()> {
        put_json(folder, "tokenizer.json", &tokenizer_json(&vocabulary(self.shape.vocabulary)))?;
        put_json(folder, "tokenizer_config.json", &tokenizer_config(self.shape.context))
    }

    fn config(&self, element: &str) -> Value {
        let shape = &self.shape;
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head(),
            "max_position_embeddings": shape.context,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "rope_scaling": null,
            "attention_bias": false,
            "mlp_bias": false,
            "tie_word_embeddings": false,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "torch_dtype": element,
        })
    }

    /// Writes the weights of a tensor, in the order of this layout.
    pub(super) fn fill(&self, tensor: &Tensor, element: &Element, out: &mut dyn Write) -> io::Result<()> {
        let mut random = tensor.random(self.seed);
        let (mean, deviation) = if tensor.is_norm() { (1.0, self.norm_deviation) } else { (0.0, tensor.deviation()) };
        let row = tensor.columns as usize;
        let paired = matches!(tensor.part, Part::Query | Part::Key);
        let rows = if paired { self.shape.head() as usize } else { 1 };
        let (mut weights, mut bytes) = (vec![0.0; rows * row], Vec::new());
        for _ in 0..tensor.rows as usize / rows {
            weights.fill_with(|| mean + deviation * random.normal());
            bytes.clear();
            for index in 0..rows {
                // GGUF has the two of a pair side by side, Hugging Face half a head apart.
                let from = if paired { index % (rows / 2) * 2 + index / (rows / 2) } else { index };
                weights[from * row..][..row].iter().for_each(|&weight| (element.put)(weight, &mut bytes));
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// Writes a small file of the folder.
pub(super) fn put_json(folder: &Path, name: &str, value: &Value) -> io::Result<()> {
    fs::write(folder.join(name), format!("{value:#}\n"))
}

fn tokenizer_config(context: u32) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": true,
        "add_eos_token": false,
        "clean_up_tokenization_spaces": false,
        "chat_template": CHAT_TEMPLATE,
    })
}

fn dimensions(tensor: &Tensor) -> Vec<u64> {
    if tensor.is_norm() { vec![tensor.columns.into()] } else { vec![tensor.rows.into(), tensor.columns.into()] }
}

/// The name of a tensor in `LlamaForCausalLM`.
pub(super) fn tensor_name(part: Part, layer: Option<u32>) -> String {
    let part = match part {
        Part::Embedding => "model.embed_tokens",
        Part::AttentionNorm => "input_layernorm",
        Part::Query => "self_attn.q_proj",
        Part::Key => "self_attn.k_proj",
        Part::Value => "self_attn.v_proj",
        Part::AttentionOutput => "self_attn.o_proj",
        Part::FeedForwardNorm => "post_attention_layernorm",
        Part::Gate => "mlp.gate_proj",
        Part::Up => "mlp.up_proj",
        Part::Down => "mlp.down_proj",
        Part::OutputNorm => "model.norm",
        Part::Output => "lm_head",
    };
    match layer {
        Some(layer) => format!("model.layers.{layer}.{part}.weight"),
        None => format!("{part}.weight"),
    }
}
