//! Model files made from a seed.
//!
//! The weights ([`Shape`]) know no file format, and the writer ([`gguf`]) knows no model, so that the same weights can
//! be written in another format and must then give the same tokens.

pub mod gguf;
mod llama;
mod random_model;
mod vocabulary;
mod weights;

pub use llama::TinyLlama;
pub use random_model::RandomModel;
pub use vocabulary::{Kind, Piece, vocabulary};
pub use weights::{Part, Shape, Tensor};
