//! Refusals in the words of Anthropic's clients.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Refusal;

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    /// `error`.
    r#type: &'static str,
    #[schema(inline)]
    error: Why,
}

#[derive(Serialize, ToSchema)]
struct Why {
    r#type: &'static str,
    message: String,
}

/// It, and the event that ends a stream early.
pub(crate) fn body(refusal: &Refusal) -> Value {
    let status = refusal.status();
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        _ if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    json!(Refused { r#type: "error", error: Why { r#type: kind, message: refusal.text() } })
}
