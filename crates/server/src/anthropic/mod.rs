//! Anthropic's interface: what its clients send, and what they read.
//!
//! <https://docs.anthropic.com/en/api/messages>. Its keys come in `x-api-key`, which the guard reads for everybody.

pub(crate) mod errors;
mod head;
pub(crate) mod messages;
pub(crate) mod models;
mod streaming;
mod usage;
mod wanted;

pub(crate) use wanted::{Manner, Question};
