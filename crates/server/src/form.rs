//! In which protocol's words a refusal is told: that of the route, or of the client.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use crate::refusal::retry_after;
use crate::{Refusal, anthropic, guide, ollama, openai};

/// Whose words a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    OpenAi,
    Guide,
    Ollama,
    Anthropic,
}

/// What Anthropic's clients send with every request.
const ANTHROPIC: &str = "anthropic-version";

impl Form {
    /// That of whoever asks: what is not there has one, too.
    pub(crate) fn of(request: &Request) -> Self {
        match Self::of_path(request.uri().path()) {
            Self::Ollama => Self::Ollama,
            _ if request.headers().contains_key(ANTHROPIC) => Self::Anthropic,
            form => form,
        }
    }

    /// That of whoever's path it is.
    pub(crate) fn of_path(path: &str) -> Self {
        let is_below =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_below("/api") {
            Self::Ollama
        } else if is_below("/v1/messages") {
            Self::Anthropic
        } else if is_below("/generate") || is_below("/models") {
            Self::Guide
        } else {
            Self::OpenAi
        }
    }

    /// A refusal as an answer.
    pub(crate) fn refused(self, refusal: &Refusal) -> Response {
        let body = match self {
            Self::OpenAi => openai::errors::body(refusal),
            Self::Guide => guide::refused(refusal),
            Self::Ollama => ollama::errors::body(refusal),
            Self::Anthropic => anthropic::errors::body(refusal),
        };
        let mut response = (refusal.status(), Json(body)).into_response();
        if let Some(after) = refusal.retry_after {
            retry_after(response.headers_mut(), after);
        }
        response
    }
}
