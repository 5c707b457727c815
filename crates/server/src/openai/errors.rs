//! Refusals in the words of OpenAI's clients.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use trillm_core::Class;

use crate::refusal::{Refusal, retry_after};

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

/// A refusal as an answer.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    let mut response = (refusal.status(), Json(body(refusal))).into_response();
    if let Some(after) = refusal.retry_after {
        retry_after(response.headers_mut(), after);
    }
    response.extensions_mut().insert(refusal.clone());
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refused(&self)
    }
}
