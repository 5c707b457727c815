//! Reads what model files say about themselves, and refuses files that could hurt an engine.
//!
//! llama.cpp trusts its input: it aborts, or worse, on many files that are merely damaged, and an abort takes the whole
//! process with it. So every file passes through here first. The readers are pure functions over bytes, without
//! `unsafe` and without panics; all arithmetic on numbers from a file is checked. They read headers only: the weights
//! stay on the disk until an engine maps them, and flipped bits in them are found by checksums, not here.
//!
//! [`open`] is the door for all formats, and what it read is handed to the engine. [`gguf`] is one file, or one split over several; [`Checkpoint`] is a folder
//! in Hugging Face's layout, with weights in [`safetensors`] or in PyTorch's zip form ([`torch`]), whose pickles are
//! read as data and never run; [`onnx`] is a graph, which brings the arithmetic along.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod checkpoint;
mod cursor;
mod detect;
mod disk;
mod element;
mod error;
mod find;
pub mod gguf;
pub mod huggingface;
mod index;
mod json;
mod named;
pub mod names;
pub mod onnx;
mod open;
mod opened;
pub mod outline;
pub mod safetensors;
mod same;
mod sentence;
mod tensor;
mod tokenizer_file;
pub mod torch;
mod weight_file;
mod weights;

pub use checkpoint::Checkpoint;
pub use detect::{Format, detect};
pub use disk::open as open_regular;
pub use element::Element;
pub use error::{Error, Result};
pub use find::{formats_in, gguf_at, is_graph};
pub use gguf::Gguf;
pub use named::named_files;
pub use open::{inspect, open, open_in};
pub use opened::{Opened, opened};
pub use sentence::{NamedModule, named_modules};
pub use tensor::Tensor;
pub use tokenizer_file::TokenizerFile;
pub use weight_file::WeightFile;
