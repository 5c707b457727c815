//! Fields of a request that were left out because nobody here knows them, told in a header.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// Its name.
static IGNORED: HeaderName = HeaderName::from_static("x-ignored-fields");

/// Bytes of names that one header tells.
const SHOWN: usize = 512;

/// An answer that names them.
pub(crate) fn telling(mut response: Response, unknown: &[String]) -> Response {
    let mut names = unknown.join(", ");
    names.truncate(names.floor_char_boundary(SHOWN));
    if let Ok(value) = HeaderValue::from_str(&names)
        && !unknown.is_empty()
    {
        response.headers_mut().insert(IGNORED.clone(), value);
    }
    response
}
