//! OpenAI's interface: what its clients send, and what they read.
//!
//! <https://platform.openai.com/docs/api-reference>; where local servers agree on more (`top_k`, `min_p`), that too.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod errors;
pub(crate) mod models;
mod response;
mod response_events;
pub(crate) mod responses;
mod settings;
mod streaming;
mod usage;

pub(crate) use settings::Sampling;
