//! The tiny model that every engine can run in a test, and what the GGUF header of a Llama-like model says.

use std::io;
use std::path::Path;

use super::gguf::{Gguf, TensorType, Value};
use super::huggingface::{Container, HuggingFace};
use super::onnx::{self, OnnxForm};
use super::vocabulary::{BOS, EOS, UNKNOWN, vocabulary};
use super::weights::{NORM_DEVIATION, Part, Shape, Tensor};

/// A model small enough to be written and run anywhere in a moment, yet with all that a real one has. Its output means
/// nothing, but depends on every token before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TinyLlama {
    /// The same seed gives the same weights, on every machine.
    pub seed: u64,
    /// Its sizes.
    pub shape: Shape,
}

impl Default for TinyLlama {
    fn default() -> Self {
        let shape =
            Shape { layers: 2, width: 64, heads: 4, kv_heads: 2, feed_forward: 128, vocabulary: 300, context: 512 };
        Self { seed: 1, shape }
    }
}

impl TinyLlama {
    /// The file, without its weights.
    pub fn gguf(&self) -> Gguf {
        describe("tiny", &self.shape, TensorType::F32)
    }

    /// Writes it as GGUF with 32-bit weights, about 460 kB.
    pub fn write_gguf(&self, path: &Path) -> io::Result<()> {
        let tensors = self.shape.tensors();
        self.gguf().write(path, |index, out| {
            let bytes: Vec<u8> = tensors[index].weights(self.seed).into_iter().flat_map(f32::to_le_bytes).collect();
            out.write_all(&bytes)
        })
    }

    /// Writes it as Hugging Face has it: a folder with `model.safetensors` and the small files beside it. The kind is
    /// [`TensorType::F32`], [`TensorType::F16`] or [`TensorType::Bf16`]; with 32 bits it is the model of the GGUF file.
    pub fn write_huggingface(&self, folder: &Path, kind: TensorType) -> io::Result<()> {
        self.huggingface(kind).write(folder, Container::Safetensors)
    }

    /// The same with `pytorch_model.bin` in place of `model.safetensors`.
    pub fn write_pytorch(&self, folder: &Path, kind: TensorType) -> io::Result<()> {
        self.huggingface(kind).write(folder, Container::Pytorch)
    }

    /// Writes it as ONNX with 32-bit weights: a folder with `model.onnx` and the small files beside it, about 480 kB.
    /// It is the model of the GGUF file.
    pub fn write_onnx(&self, folder: &Path, form: OnnxForm) -> io::Result<()> {
        onnx::write(&self.huggingface(TensorType::F32), folder, form)
    }

    fn huggingface(&self, kind: TensorType) -> HuggingFace {
        HuggingFace { seed: self.seed, shape: self.shape, kind, norm_deviation: NORM_DEVIATION }
    }
}

/// A file of this shape, all its matrices stored as `kind`.
pub(super) fn describe(name: &str, shape: &Shape, kind: TensorType) -> Gguf {
    let pieces = vocabulary(shape.vocabulary);
    let file = Gguf::default()
        .key("general.architecture", "llama")
        .key("general.name", name)
        .key("general.license", "apache-2.0")
        .key("general.file_type", file_type(kind))
        .key("general.quantization_version", 2u32)
        .key("llama.context_length", shape.context)
        .key("llama.embedding_length", shape.width)
        .key("llama.block_count", shape.layers)
        .key("llama.feed_forward_length", shape.feed_forward)
        .key("llama.attention.head_count", shape.heads)
        .key("llama.attention.head_count_kv", shape.kv_heads)
        .key("llama.attention.layer_norm_rms_epsilon", 1e-5f32)
        .key("llama.rope.dimension_count", shape.head())
        .key("llama.rope.freq_base", 10_000f32)
        .key("llama.vocab_size", shape.vocabulary)
        .key("tokenizer.ggml.model", "llama")
        .key("tokenizer.ggml.pre", "default")
        .key("tokenizer.ggml.tokens", Value::array(pieces.iter().map(|piece| piece.text.as_str())))
        .key("tokenizer.ggml.scores", Value::array(pieces.iter().map(|piece| piece.score)))
        .key("tokenizer.ggml.token_type", Value::array(pieces.iter().map(|piece| piece.kind as i32)))
        .key("tokenizer.ggml.bos_token_id", BOS)
        .key("tokenizer.ggml.eos_token_id", EOS)
        .key("tokenizer.ggml.unknown_token_id", UNKNOWN)
        .key("tokenizer.ggml.add_bos_token", true)
        .key("tokenizer.ggml.add_eos_token", false)
        .key("tokenizer.ggml.add_space_prefix", false)
        .key("tokenizer.chat_template", crate::CHAT_TEMPLATE);
    shape.tensors().iter().fold(file, |file, tensor| {
        let (columns, rows) = (tensor.columns.into(), tensor.rows.into());
        // A norm's weights stay floats in every GGUF file.
        if tensor.is_norm() {
            file.tensor(&tensor_name(tensor), &[columns], TensorType::F32)
        } else {
            file.tensor(&tensor_name(tensor), &[columns, rows], kind)
        }
    })
}

/// llama.cpp's number for a file that is mostly of this type.
fn file_type(kind: TensorType) -> u32 {
    match kind {
        TensorType::F32 => 0,
        TensorType::F16 => 1,
        TensorType::Q8_0 => 7,
        TensorType::Bf16 => 32,
    }
}

fn tensor_name(tensor: &Tensor) -> String {
    let part = match tensor.part {
        Part::Embedding => "token_embd",
        Part::AttentionNorm => "attn_norm",
        Part::Query => "attn_q",
        Part::Key => "attn_k",
        Part::Value => "attn_v",
        Part::AttentionOutput => "attn_output",
        Part::FeedForwardNorm => "ffn_norm",
        Part::Gate => "ffn_gate",
        Part::Up => "ffn_up",
        Part::Down => "ffn_down",
        Part::OutputNorm => "output_norm",
        Part::Output => "output",
    };
    match tensor.layer {
        Some(layer) => format!("blk.{layer}.{part}.weight"),
        None => format!("{part}.weight"),
    }
}
