//! Bodies that are made while they are read.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

/// What writes a body part by part.
pub(crate) trait Parts: Send + 'static {
    /// Waits for more, and writes it; writes nothing at the end. What was not waited for comes the next time.
    fn write(&mut self, out: &mut Vec<u8>) -> impl Future<Output = ()> + Send;
}

/// As long as nothing comes a word is sent where a protocol has one for that: clients and what lies between give up on a
/// line that is silent.
const SILENCE: Duration = Duration::from_secs(15);

/// A body, which says `silence` now and then as long as nothing comes.
pub(crate) fn body(parts: impl Parts, silence: Option<&'static [u8]>) -> Body {
    Body::from_stream(stream::unfold(parts, move |mut parts| async move {
        let mut out = Vec::new();
        match silence {
            Some(word) => {
                if tokio::time::timeout(SILENCE, parts.write(&mut out)).await.is_err() {
                    out.extend_from_slice(word);
                }
            }
            None => parts.write(&mut out).await,
        }
        (!out.is_empty()).then(|| (Ok::<_, Infallible>(Bytes::from(out)), parts))
    }))
}
