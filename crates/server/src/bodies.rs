//! Bodies of requests as they arrive: how much all of them may take together, and what becomes of one that nobody reads.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The first bytes of each body count for nothing: so much the number of requests allows, and small ones go on while large
/// ones fill the room.
const FREE: usize = 32 << 10;

/// How long a client may go on to send what nobody reads before its connection ends.
const DRAINING: Duration = Duration::from_secs(1);

/// There is no room for more of the bodies of all requests.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the bodies of other requests take all the room there is")
    }
}

impl Error for NoRoom {}

/// What is known of a body outside of whoever reads it. Dropping it gives its room back.
pub(crate) struct Left(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    held: Option<OwnedSemaphorePermit>,
    /// What was not read.
    left: Option<Body>,
    /// Somebody began to read it: a client that waits to be told has been.
    is_begun: bool,
    /// It waits to be told before it sends anything.
    is_awaiting: bool,
}

/// A body that takes room as it comes.
struct Metered {
    body: Option<Body>,
    /// Bytes that came.
    size: usize,
    room: Arc<Semaphore>,
    shared: Arc<Mutex<Shared>>,
}

/// Gives the request a body that takes of `room`, a permit for each byte.
pub(crate) fn metered(request: Request, room: &Arc<Semaphore>) -> (Request, Left) {
    let is_awaiting = request.headers().contains_key(EXPECT);
    let shared = Arc::new(Mutex::new(Shared { is_awaiting, ..Shared::default() }));
    let (room, known) = (room.clone(), shared.clone());
    let request = request.map(|body| Body::new(Metered { body: Some(body), size: 0, room, shared: known }));
    (request, Left(shared))
}

impl Metered {
    fn take(&mut self, size: usize) -> Result<(), NoRoom> {
        let counted = (self.size + size).saturating_sub(FREE) - self.size.saturating_sub(FREE);
        self.size += size;
        let Some(counted) = u32::try_from(counted).ok().filter(|counted| *counted > 0) else { return Ok(()) };
        let more = self.room.clone().try_acquire_many_owned(counted).map_err(|_| NoRoom)?;
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut shared.held {
            Some(held) => held.merge(more),
            None => shared.held = Some(more),
        }
        Ok(())
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).is_begun = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        let size = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        if let Err(full) = self.take(size) {
            return Poll::Ready(Some(Err(axum::Error::new(full))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).left = left;
    }
}

impl Left {
    /// Gives the room back that the body took: what came of it is on its way.
    pub(crate) fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).held = None;
    }

    /// Reads what nobody read, at most `limit` bytes of it, and forgets it; whether the connection can go on after that. A
    /// connection that ends with bytes in it takes the answer along.
    pub(crate) async fn drained(&self, limit: usize) -> bool {
        let left = {
            let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Who was not told to send will not, or will not before its connection ends.
            let is_awaiting = shared.is_awaiting && !shared.is_begun;
            match shared.left.take() {
                None => return true,
                Some(_) if is_awaiting => return false,
                Some(left) => left,
            }
        };
        let read = async move {
            let (mut left, mut size) = (left, 0);
            while let Some(frame) = left.frame().await {
                let Ok(frame) = frame else { return false };
                size += frame.data_ref().map_or(0, Bytes::len);
                if size > limit {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(DRAINING, read).await.unwrap_or(false)
    }
}
