//! Model files from one format to another: GGUF to a Hugging Face folder, and back.
//!
//! A model is three things, whatever the format: its shape ([`Decoder`](trillm_formats::huggingface::Decoder)), its
//! vocabulary, and its tensors. Each format has a reader and a writer of each; [`convert()`] joins a reader with a
//! writer. What a format cannot say is an error, and what it says and nobody reads is a note in the [`Report`]: nothing
//! is guessed in silence.
//!
//! Tensors are streamed a block at a time with plain reads, so memory stays at a few megabytes beside the header
//! whatever the model's size. The result is written beside its destination and renamed when it is complete.
//!
//! Facts about GGUF are those of `convert_hf_to_gguf.py` and `llama-vocab.cpp` of llama.cpp; facts about Hugging Face
//! folders are those of transformers 5.23. Exact in 32-bit floats, there and back, but for Gemma's norms: GGUF holds
//! them as 1 + weight, which rounds a weight to a multiple of 2⁻²⁴ (weights trained in bfloat16 survive it).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod convert;
mod dtype;
mod error;
mod family;
mod gguf;
mod huggingface;
mod left_out;
mod plan;
mod pre;
mod record;
mod rope;
mod staging;
mod storage;
mod vectors;
mod vocabulary;

pub use convert::{Convert, Progress, Report, Target, convert};
pub use dtype::Dtype;
pub use error::{Error, Result};
pub use record::{Left, Record, collect};
