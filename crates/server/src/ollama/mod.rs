//! Ollama's own interface: what its clients send, and what they read.
//!
//! <https://docs.ollama.com/api>. What a client leaves out is as the model's publisher says, as everywhere, and not as
//! Ollama has it.

pub(crate) mod chat;
mod details;
pub(crate) mod embed;
pub(crate) mod errors;
mod figures;
pub(crate) mod generate;
mod keep_alive;
pub(crate) mod manage;
pub(crate) mod models;
mod name;
mod options;
pub(crate) mod pull;
mod said;
pub(crate) mod show;

use axum::Json;
use serde_json::{Value, json};

/// `GET /api/version`: ours.
pub(crate) async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

/// `HEAD /`: clients ask so whether it lives.
pub(crate) async fn alive() {}
