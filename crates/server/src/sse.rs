//! Server-sent events.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::parts::{Parts, body};

/// A comment, which no client reads.
pub(crate) const COMMENT: &[u8] = b": waiting\n\n";

/// A body of events, which says `silence` as long as nothing comes.
pub(crate) fn events(parts: impl Parts, silence: &'static [u8]) -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, body(parts, Some(silence))).into_response()
}

/// Writes one event, without a name.
pub(crate) fn data(out: &mut Vec<u8>, value: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // Into memory, of values whose keys are texts: nothing can fail.
    let _ = serde_json::to_writer(&mut *out, value);
    out.extend_from_slice(b"\n\n");
}

/// Writes one event of that name.
pub(crate) fn named(out: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    data(out, value);
}
