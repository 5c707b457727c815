//! An engine without a model.
//!
//! What it predicts is a pure function of all tokens that a slot's cells hold, as with a real model: any error in
//! positions, prefixes or sharing changes every token after it. It counts its cells itself and is strict: a batch
//! outside the limits is an error here, where a real engine's library might abort.

mod cache;
mod engine;
mod gate;
mod model;
mod says;
mod script;
mod session;
mod settings;
mod tokenizer;
mod wait;

pub use gate::Gate;
pub use says::Says;
pub use settings::{Fake, Fault, Record};
pub use tokenizer::{BOS, EOS, IM_END, IM_START, PAD, TOOL, VOCABULARY};
