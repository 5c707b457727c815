//! Bodies that are made while they are read: lines of server-sent events.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

/// What writes a body part by part.
pub(crate) trait Parts: Send + 'static {
    /// Waits for more, and writes it; writes nothing at the end. What was not waited for comes the next time.
    fn write(&mut self, out: &mut Vec<u8>) -> impl Future<Output = ()> + Send;
}

/// As long as nothing comes a comment is sent: clients and what lies between give up on a line that is silent.
const SILENCE: Duration = Duration::from_secs(15);

/// A body of events.
pub(crate) fn events(parts: impl Parts) -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    let body = stream::unfold(parts, |mut parts| async {
        let mut out = Vec::new();
        if tokio::time::timeout(SILENCE, parts.write(&mut out)).await.is_err() {
            out.extend_from_slice(b": waiting\n\n");
        }
        (!out.is_empty()).then(|| (Ok::<_, Infallible>(Bytes::from(out)), parts))
    });
    (headers, Body::from_stream(body)).into_response()
}

/// Writes one event, without a name.
pub(crate) fn data(out: &mut Vec<u8>, value: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // Into memory, of values whose keys are texts: nothing can fail.
    let _ = serde_json::to_writer(&mut *out, value);
    out.extend_from_slice(b"\n\n");
}
