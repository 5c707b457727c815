//! `GET /v1/models`, and one of them.

use serde_json::{Value, json};

use crate::served::Available;

/// All models.
pub(crate) fn list(all: &[Available]) -> Value {
    json!({ "object": "list", "data": all.iter().map(said).collect::<Vec<_>>() })
}

/// One model.
pub(crate) fn said(model: &Available) -> Value {
    json!({ "id": model.name, "object": "model", "created": model.created, "owned_by": "local" })
}
