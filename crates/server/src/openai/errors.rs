//! Refusals in the words of OpenAI's clients.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use trillm_core::Class;
use utoipa::ToSchema;

use crate::Refusal;

/// The body of an error: always all four keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    #[schema(inline)]
    error: Why,
}

#[derive(Serialize, ToSchema)]
struct Why {
    message: String,
    r#type: &'static str,
    /// The field that is to blame.
    #[schema(required)]
    param: Option<String>,
    code: String,
}

/// It.
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
    let why = Why { message: refusal.text(), r#type: kind, param: refusal.field.clone(), code: code.to_owned() };
    json!(Refused { error: why })
}
