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
//! This crate hands on what the others have for programs, and names what can be left out: each engine is a feature.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub use trillm_core::{
    CacheType, ChatTemplates, Class, Coded, Defaults, Engine, Error as CoreError, Find, FinishReason, Given,
    GraphOptions, Layer, Limits, LoadOptions, Logprob, Model, ModelFile, ModelInfo, Optimization, Outcome, Output,
    PerProcess, Piece, Pipeline, Pooling, Progress, Purpose, Quantize, Ready, Request, SamplingParams, SessionOptions,
    Setting, Shape, Text, Timings, Token, Tokenizer, Usage, memory,
};
pub use trillm_formats::{
    NamedModule, Opened, huggingface::purpose_of, inspect, named_files, named_modules, opened, outline,
};
pub use trillm_llm::{
    By, Choice, Completion, Cut, EmbedOptions, Embedding, Error, Generation, Inputs, Llm, Measured, OpenOptions,
    Prompt, Result, Speed, Speeds, Vectors, VocabularyFile, Wanted, choose, engines,
};
pub use trillm_machine::{
    Cache, Limit, LimitSource, Memory, Processors, default_threads, kept_bandwidth, read_bandwidth, waiting,
};
pub use trillm_runtime::{self as runtime, plan};
pub use trillm_sched::{Canceller, Event, Percentiles, SchedulerOptions, Stats, Stream};
pub use trillm_text::{ChatFormat, ChatFormats, Error as TextError, Message, RenderOptions, read_json};

/// The llama.cpp engine.
#[cfg(feature = "llama")]
pub use trillm_llama as llama;

/// Models over HTTP.
#[cfg(feature = "server")]
pub use trillm_server as server;

/// Facts about this build: names and values.
pub const BUILD: &[(&str, &str)] = &[
    ("target", env!("TRILLM_TARGET")),
    ("target_cpu", env!("TRILLM_CPU")),
    ("target_features", env!("TRILLM_FEATURES")),
];
