//! A Llama-like model in Hugging Face's layout: a folder with the weights and the small files beside them.
//!
//! The numbers are those of the GGUF file of the same seed. Two things stand differently: names follow
//! `LlamaForCausalLM`, and rows of queries and keys are in the order that `rotate_half` wants, the first of every pair
//! in the first half of a head. At most a head is held at a time, so that a large model needs no memory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::float::{bfloat, half};
use super::gguf::TensorType;
use super::pytorch::Pytorch;
use super::safetensors::Safetensors;
use super::tokenizer_json::tokenizer_json;
use super::vocabulary::{BOS, EOS, vocabulary};
use super::weights::{Part, Shape, Tensor};
use crate::CHAT_TEMPLATE;

/// A model as this layout describes it.
pub(super) struct HuggingFace {
    pub(super) seed: u64,
    pub(super) shape: Shape,
    pub(super) kind: TensorType,
    /// Standard deviation of the weights of norms.
    pub(super) norm_deviation: f32,
}

/// The names of one element type.
struct Element {
    bytes: u64,
    config: &'static str,
    safetensors: &'static str,
    pytorch: &'static str,
    put: fn(f32, &mut Vec<u8>),
}

/// The form of the file with the weights.
#[derive(Clone, Copy)]
pub(super) enum Container {
    /// `model.safetensors`.
    Safetensors,
    /// `pytorch_model.bin`.
    Pytorch,
}

impl Element {
    fn of(kind: TensorType) -> io::Result<Self> {
        Ok(match kind {
            TensorType::F32 => Self {
                bytes: 4,
                config: "float32",
                safetensors: "F32",
                pytorch: "torch\nFloatStorage\n",
                put: |weight, out| out.extend(weight.to_le_bytes()),
            },
            TensorType::F16 => Self {
                bytes: 2,
                config: "float16",
                safetensors: "F16",
                pytorch: "torch\nHalfStorage\n",
                put: |weight, out| out.extend(half(weight).to_le_bytes()),
            },
            TensorType::Bf16 => Self {
                bytes: 2,
                config: "bfloat16",
                safetensors: "BF16",
                pytorch: "torch\nBFloat16Storage\n",
                put: |weight, out| out.extend(bfloat(weight).to_le_bytes()),
            },
            TensorType::Q8_0 => {
                let reason = "weights are q8_0, expected f32, f16 or bf16 for the layout of Hugging Face";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
        })
    }
}

impl HuggingFace {
    /// Writes the folder, which is made if it is not there.
    pub(super) fn write(&self, folder: &Path, container: Container) -> io::Result<()> {
        let element = Element::of(self.kind)?;
        fs::create_dir_all(folder)?;
        let put = |name: &str, value: &Value| fs::write(folder.join(name), format!("{value:#}\n"));
        put("config.json", &self.config(element.config))?;
        put("generation_config.json", &json!({ "bos_token_id": BOS, "eos_token_id": EOS }))?;
        put("tokenizer.json", &tokenizer_json(&vocabulary(self.shape.vocabulary)))?;
        put("tokenizer_config.json", &tokenizer_config(self.shape.context))?;

        let tensors = self.shape.tensors();
        let named: Vec<_> = tensors.iter().map(|tensor| (tensor_name(tensor), dimensions(tensor))).collect();
        let fill = |index: usize, out: &mut dyn Write| self.fill(&tensors[index], element.put, out);
        match container {
            Container::Safetensors => Safetensors { element: element.safetensors, bytes: element.bytes }.write(
                &folder.join("model.safetensors"),
                &named,
                fill,
            ),
            Container::Pytorch => Pytorch { storage: element.pytorch, bytes: element.bytes }.write(
                &folder.join("pytorch_model.bin"),
                &named,
                fill,
            ),
        }
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

    fn fill(&self, tensor: &Tensor, put: fn(f32, &mut Vec<u8>), out: &mut dyn Write) -> io::Result<()> {
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
                weights[from * row..][..row].iter().for_each(|&weight| put(weight, &mut bytes));
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }
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

fn tensor_name(tensor: &Tensor) -> String {
    let part = match tensor.part {
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
    match tensor.layer {
        Some(layer) => format!("model.layers.{layer}.{part}.weight"),
        None => format!("{part}.weight"),
    }
}
