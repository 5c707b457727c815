//! The values and traits that every other crate speaks.
//!
//! There are three traits because there are three lifetimes: an [`Engine`] lives as long as the process, a [`Model`]
//! as long as a file is open, a [`Session`] as long as the one thread that steps it. Sampling, stop strings and chat
//! templates are deliberately *above* these traits: they are written once, so the same request with the same seed
//! behaves alike on every engine.
//!
//! Nothing here does IO, and no engine, Python or HTTP is named.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod batch;
mod coded;
mod defaults;
mod engine;
mod error;
mod event;
pub mod files;
mod info;
pub mod memory;
mod model_file;
mod options;
mod passage;
mod pipeline;
mod pooling;
mod process;
mod refusal;
mod request;
mod shape;
mod templates;
mod texts;
mod threads;
mod tokenizer;

pub use batch::{Batch, Limits, Slot, Span};
pub use coded::{Class, Coded};
pub use defaults::{Defaults, Given, Setting};
pub use engine::{Engine, Model, Rows, Session};
pub use error::{Error, Result};
pub use event::{FinishReason, Logprob, Outcome, Piece, Text, Timings, Usage};
pub use info::{ModelInfo, Purpose};
pub use model_file::ModelFile;
pub use options::{
    CacheType, Find, GraphOptions, LoadOptions, Optimization, Output, Progress, Quantize, SessionOptions,
};
pub use passage::Passage;
pub use pipeline::{Activation, Dense, Number, Pipeline, Residual, Step, Stored};
pub use pooling::Pooling;
pub use process::PerProcess;
pub use refusal::Refusal;
pub use request::{Ready, Request, SamplingParams};
pub use shape::{Layer, Product, Shape};
pub use templates::ChatTemplates;
pub use texts::Texts;
pub use tokenizer::{Guarded, PairFrame, Token, Tokenizer};
