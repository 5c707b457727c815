//! One loaded model, whichever engine runs it.
//!
//! [`Llm::open`] reads a file's header, picks the engine and starts the scheduler; from then on prompts become requests
//! and requests become text, vectors or scores. It is the only place where engines are named; each is a feature. There
//! is no Python, no HTTP and no async runtime here.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod activation;
mod choice;
mod completion;
mod cores;
mod engines;
mod error;
mod llm;
mod passages;
mod prompt;
mod replicas;
mod room;
mod speeds;
mod steps;
mod tokenizer;
mod vectors;

pub use choice::{By, Choice, Wanted, choose};
pub use completion::{Completion, Generation};
pub use engines::engines;
pub use error::{Error, Result};
pub use llm::{Llm, OpenOptions};
pub use passages::Cut;
pub use prompt::Prompt;
pub use speeds::{Measured, Speed, Speeds};
pub use tokenizer::VocabularyFile;
pub use trillm_sched::{Percentiles, Stats};
pub use vectors::{EmbedOptions, Embedding, Inputs, Vectors};
