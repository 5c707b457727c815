//! Model files made from a seed.
//!
//! The weights ([`Shape`]) know no file format, and the writer ([`gguf`]) knows no model, so that the same weights can
//! be written in another format ([`TinyLlama::write_huggingface`], [`TinyLlama::write_onnx`]) and must then give the
//! same tokens.

mod element;
mod float;
pub mod gguf;
mod huggingface;
mod llama;
mod onnx;
mod pytorch;
mod random_model;
mod safetensors;
mod tokenizer_json;
mod vocabulary;
mod weights;

pub use llama::TinyLlama;
pub use onnx::OnnxForm;
pub use random_model::RandomModel;
pub use vocabulary::{Kind, Piece, vocabulary};
pub use weights::{Part, Shape, Tensor};
