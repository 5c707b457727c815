//! Refusals in the words of Ollama's clients: a text.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Refusal;

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    error: String,
}

/// It, and the line that ends a stream early.
pub(crate) fn body(refusal: &Refusal) -> Value {
    json!(Refused { error: refusal.text() })
}
