//! Refusals in the words of Ollama's clients: a text.

use serde_json::{Value, json};

use crate::Refusal;

/// The body of an error, and the line that ends a stream early.
pub(crate) fn body(refusal: &Refusal) -> Value {
    json!({ "error": refusal.text() })
}
