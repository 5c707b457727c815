//! `tokenizer.json` of Hugging Face as an engine needs it: [`HuggingFaceTokenizer`] behind [`trillm_core::Tokenizer`].
//!
//! The library `tokenizers` does what has many forms: normalizers, pre-tokenizers, added tokens, and the models that are
//! rare here (`WordPiece`, `WordLevel`, Unigram). Two things are our own:
//!
//! - **The vocabulary and byte-pair encoding** (`vocabulary.rs`, `bpe.rs`). The library keeps every token in two hash
//!   maps, reads the model's section through copies of its JSON, and caches ten thousand words for each thread, which
//!   is much beside weights that are mapped. Here it is a few arrays (`tests/memory.rs`).
//! - **The bytes of a token** (`decoder.rs`). The library decodes whole texts; a stream needs the bytes of one token in
//!   the middle of a text.
//!
//! `truncation` and `padding` of the file are not used: an engine has its own limits.
//!
//! A file is not trusted: sizes, ids and nesting are bounded, and parts of the library that panic on a bad file are run
//! where a panic becomes an [`Error`] (`guard.rs`). Not bounded in time: a file's own regular expression, beyond the
//! million steps that `fancy-regex` takes for each match before it gives up.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bpe;
mod decoder;
mod document;
mod error;
mod file;
mod growth;
mod guard;
mod guarded;
mod merges;
mod model;
mod section;
mod special;
mod tokenizer;
mod vocabulary;

pub use error::{Error, Result};
pub use tokenizer::HuggingFaceTokenizer;
