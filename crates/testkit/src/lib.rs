//! What the tests and benchmarks of every crate share; no user ever links it.
//!
//! [`Fake`] is an engine without a model: its tokens are a hash of the cache's own content, so that a scheduler that
//! mixes up slots, positions or prefixes produces visibly wrong text, and a scheduler's cost can be measured without
//! any arithmetic beside it. [`mod@conformance`] is one suite for every engine, the fake one included. [`TinyLlama`]
//! and [`RandomModel`] write real model files from a seed, so that nothing is downloaded for a test.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod conformance;
pub mod damage;
pub mod fake;
pub mod models;
mod random;
mod shared;
pub mod stories;

pub use fake::Fake;
pub use models::{OnnxForm, RandomModel, TinyLlama};
pub use shared::shared_data;

/// The chat template of every model made here: `ChatML`, without a default system message.
pub const CHAT_TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";
