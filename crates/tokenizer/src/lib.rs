//! Text to tokens: [`GgufTokenizer`] for GGUF files and [`HuggingFaceTokenizer`] for `tokenizer.json`, both behind
//! [`trillm_core::Tokenizer`].
//!
//! What most models need is our own, and linear in the text on any stack:
//!
//! - **Words** (`split/`, `pipeline.rs`): patterns as automata. The library's regular expressions go back and forth, and
//!   those of llama.cpp recurse until the stack ends.
//! - **The vocabulary and byte-pair encoding** (`vocabulary.rs`, `bpe.rs`, `merge.rs`), in a few arrays
//!   (`tests/memory.rs`).
//! - **The bytes of a token** (`decoder.rs`, `step.rs`, `gguf/bytes.rs`). Libraries decode whole texts; a stream needs
//!   the bytes of one token in the middle of a text.
//!
//! - **The other models** (`unigram.rs`, `wordpiece.rs`), over automata that read a byte once however long tokens are
//!   (`endings.rs`, `greedy.rs`).
//!
//! For `tokenizer.json` the library `tokenizers` does what is rare: some normalizers and pre-tokenizers, and regular
//! expressions that refer to earlier groups or repeat what may be nothing. `truncation` and `padding` of the file are not
//! used: an engine has its own limits.
//!
//! A file is not trusted: sizes, ids and nesting are bounded, and parts of the library that panic on a bad file are run
//! where a panic becomes an [`Error`] (`guard.rs`). Not bounded in time: a file's own regular expression that the library
//! runs, beyond the million steps that `fancy-regex` takes for each match before it gives up.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alphabet;
mod barred;
mod bert;
mod bpe;
mod charsmap;
mod decoder;
mod document;
mod endings;
mod error;
mod file;
mod gguf;
mod greedy;
mod growth;
mod guard;
mod guarded;
mod limit;
mod lookup;
mod markers;
mod merge;
mod merges;
mod model;
mod normal;
mod oniguruma;
mod pipeline;
mod plain;
mod prefix;
mod recent;
mod scratch;
mod section;
mod shortage;
mod special;
mod split;
mod step;
mod table;
mod tokenizer;
mod trie;
mod unigram;
mod vocabulary;
mod wordpiece;
mod words;
mod written;

pub use error::{Error, Result};
pub use gguf::GgufTokenizer;
pub use tokenizer::HuggingFaceTokenizer;
