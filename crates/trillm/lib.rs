//! Language models on the user's own machine.
//!
//! ```no_run
//! use trillm::{Llm, OpenOptions, Prompt, Request};
//!
//! let llm = Llm::open("model.gguf".as_ref(), OpenOptions::default())?;
//! let request = Request { max_tokens: Some(64), ..Request::default() };
//! let completion = llm.generate(Prompt::text("Once upon a time"), request)?.collect()?;
//! println!("{}", completion.text);
//! # Ok::<(), trillm::Error>(())
//! ```
//!
//! This crate joins the others: it reads a file's header, picks the engine, starts the scheduler, and turns prompts
//! into requests. It is the only place where engines are named; each is a feature. There is no Python, no HTTP and no
//! async runtime here.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod activation;
mod completion;
mod engines;
mod error;
mod llm;
mod passages;
mod prompt;
mod steps;
mod tokenizer;
mod vectors;

pub use completion::{Completion, Generation};
pub use engines::engines;
pub use error::{Error, Result};
pub use llm::{Llm, OpenOptions};
pub use passages::Cut;
pub use prompt::Prompt;
pub use tokenizer::{VocabularyFile, decode};
pub use vectors::{EmbedOptions, Vectors};

pub use trillm_core::{
    CacheType, ChatTemplates, Coded, Defaults, Engine, Error as CoreError, FinishReason, Given, GraphOptions, Limits,
    LoadOptions, Logprob, Model, ModelInfo, Optimization, Outcome, Output, PerProcess, Piece, Pipeline, Pooling,
    Progress, Purpose, Quantize, Ready, Request, SamplingParams, SessionOptions, Setting, Text, Timings, Token,
    Tokenizer, Usage,
};
pub use trillm_formats::inspect;
pub use trillm_pool::default_threads;
pub use trillm_sched::{Canceller, Event, SchedulerOptions, Stats, Stream};
pub use trillm_text::{ChatFormat, ChatFormats, Message, RenderOptions};

/// The llama.cpp engine.
#[cfg(feature = "llama")]
pub use trillm_llama as llama;

/// Facts about this build: names and values.
pub const BUILD: &[(&str, &str)] = &[
    ("target", env!("TRILLM_TARGET")),
    ("target_cpu", env!("TRILLM_CPU")),
    ("target_features", env!("TRILLM_FEATURES")),
];
