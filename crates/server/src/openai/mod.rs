//! OpenAI's interface: what its clients send, and what they read.
//!
//! <https://platform.openai.com/docs/api-reference>; where local servers agree on more (`top_k`, `min_p`), that too.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod errors;
mod logprobs;
pub(crate) mod models;
mod settings;
mod streaming;
mod usage;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// Fields of a request that were left out because nobody here knows them.
static IGNORED: HeaderName = HeaderName::from_static("x-ignored-fields");

/// Names of fields that one header tells.
const SHOWN: usize = 512;

fn telling(mut response: Response, unknown: &[String]) -> Response {
    let mut names = unknown.join(", ");
    names.truncate(names.floor_char_boundary(SHOWN));
    if let Ok(value) = HeaderValue::from_str(&names)
        && !unknown.is_empty()
    {
        response.headers_mut().insert(IGNORED.clone(), value);
    }
    response
}
