//! Reads what model files say about themselves, and refuses files that could hurt an engine.
//!
//! llama.cpp trusts its input: it aborts, or worse, on many files that are merely damaged, and an abort takes the whole
//! process with it. So every file passes through here first. The readers are pure functions over bytes, without
//! `unsafe` and without panics; all arithmetic on numbers from a file is checked. They read headers only: the weights
//! stay on the disk until an engine maps them, and flipped bits in them are found by checksums, not here.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cursor;
mod detect;
mod error;
pub mod gguf;

pub use detect::{Format, detect};
pub use error::{Error, Result};
pub use gguf::{Gguf, inspect, inspect_vocabulary};
