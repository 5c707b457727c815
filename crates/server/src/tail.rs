//! The rest of an address: what `{*…}` of a route stands for, and what is behind the `?`.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};

use crate::Refusal;

/// It, without its escapes. What is no text is refused as everything else is.
pub(crate) struct Tail(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Tail {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(text)| Self(text)).map_err(|_| {
            let message = format!("the path {:.200} is not UTF-8", parts.uri.path());
            Refusal::http(StatusCode::BAD_REQUEST, "invalid_path", message)
        })
    }
}

/// A parameter behind the `?` of an address. Those of this server are plain words: escapes are not read.
pub(crate) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next_back()
}
