//! A JSON value on each line.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::parts::{Parts, body};

/// A body of lines. Nothing is said in between: a client reads every line.
pub(crate) fn lines(parts: impl Parts) -> Response {
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    (headers, body(parts, None)).into_response()
}

/// Writes one line.
pub(crate) fn line(out: &mut Vec<u8>, value: &impl Serialize) {
    // Into memory, of values whose keys are texts: nothing can fail.
    let _ = serde_json::to_writer(&mut *out, value);
    out.push(b'\n');
}
