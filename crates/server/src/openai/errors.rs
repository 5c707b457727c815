//! Refusals in the words of OpenAI's clients.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trillm_core::Class;

use crate::Refusal;

/// The body of an error: always all four keys.
pub(crate) fn body(refusal: &Refusal) -> Value {
    let status = refusal.status();
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        _ if status.is_client_error() => "invalid_request_error",
        _ => "server_error",
    };
    let code = match refusal.class() {
        Some(Class::ContextOverflow) => "context_length_exceeded",
        _ => &refusal.code,
    };
    json!({ "error": { "message": refusal.text(), "type": kind, "param": refusal.field, "code": code } })
}
