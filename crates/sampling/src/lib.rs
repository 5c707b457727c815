//! Scores to tokens: the one [`Sampler`] that every engine's output goes through.
//!
//! It stands above the engines, so the same request with the same seed behaves alike on each of them, and none of
//! their own samplers (some of which abort the process on odd input) is ever reached.
//!
//! The order is fixed: logit bias, penalties, temperature, top-k, typical, top-p, min-p. Each stage sees only what the
//! one before it left, with probabilities that add up to one again.
//!
//! Nothing is sorted unless a stage needs it. Plain sampling and top-p never build a list of candidates: they draw from
//! the whole row and ask whether the token drawn would have been kept (see `row.rs`). All arithmetic is plain
//! single-precision multiplication and addition in a fixed order, without fused operations, so a seed gives the same
//! tokens whatever instruction set the compiler chose.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod candidates;
mod error;
mod exp;
mod history;
mod row;
mod sampler;

pub use error::{Error, Result};
pub use sampler::{Sampled, Sampler};
