//! `GET /v1/models`, and one of them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::served::Available;

/// All models, on one page.
pub(crate) fn list(all: &[Available]) -> Value {
    let id = |model: Option<&Available>| model.map(|model| model.name.clone());
    json!({
        "data": all.iter().map(said).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": id(all.first()),
        "last_id": id(all.last()),
    })
}

/// One model.
pub(crate) fn said(model: &Available) -> Value {
    let created = Timestamp::from_second(model.created as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    json!({ "type": "model", "id": model.name, "display_name": model.name, "created_at": created.to_string() })
}
