//! The way of a request's pieces from the decode thread to whoever reads them.
//!
//! Dropping the [`Stream`] cancels the request: a closed iterator, a cancelled task and a vanished client are all this
//! one path. A reader that falls behind fills the ring; its sequence is then skipped, and the others run on.

use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::task::Waker;

use trillm_core::{Error, Outcome, Piece, Timings, Usage};

use crate::lockfree::Ring;
use crate::sync::{Arc, AtomicU32, AtomicWaker, fence, register};
use crate::wake::Wake;

/// What comes out of a [`Stream`]: pieces, then exactly one outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A generated token and its text.
    Piece(Piece),
    /// The end.
    Done(Outcome),
}

/// The reader is gone.
const CANCELLED: u32 = 1;
/// The writer found the ring full; the reader must wake it after making room.
const STARVED: u32 = 2;
/// The reader wants to be woken when the ring is half full or at the end, not for each piece.
const LAZY: u32 = 4;

struct Channel {
    /// One place more than pieces may fill, so that the outcome always has room.
    ring: Ring<Event>,
    flags: AtomicU32,
    reader: AtomicWaker,
}

/// The decode thread's end.
pub(crate) struct Writer {
    channel: Arc<Channel>,
    finished: bool,
}

/// The reader's end of one request. Dropping it cancels the request.
pub struct Stream {
    channel: Arc<Channel>,
    decoder: Arc<Wake>,
    done: bool,
}

/// Both ends of a channel that holds `capacity` pieces; `decoder` is woken when a full one has room again.
pub(crate) fn channel(capacity: usize, decoder: Arc<Wake>) -> (Writer, Stream) {
    let channel =
        Arc::new(Channel { ring: Ring::new(capacity + 1), flags: AtomicU32::new(0), reader: AtomicWaker::new() });
    (Writer { channel: channel.clone(), finished: false }, Stream { channel, decoder, done: false })
}

impl Writer {
    pub(crate) fn cancelled(&self) -> bool {
        self.channel.flags.load(Relaxed) & CANCELLED != 0
    }

    /// Whether a piece has room now. If not, the reader wakes the decode thread when it has.
    pub(crate) fn has_room(&self) -> bool {
        if self.room() {
            return true;
        }
        self.channel.flags.fetch_or(STARVED, SeqCst);
        // The reader makes room and then looks at the flag; here the flag is set and then room looked for. The fences
        // on both sides make one of the two see the other.
        fence(SeqCst);
        self.room()
    }

    fn room(&self) -> bool {
        self.channel.ring.len() + 1 < self.channel.ring.capacity()
    }

    /// Hands over a piece. Only after [`has_room`](Self::has_room) said yes.
    pub(crate) fn push(&self, piece: Piece) {
        let sent = self.channel.ring.push(Event::Piece(piece)).is_ok();
        debug_assert!(sent, "has_room was not asked");
        let lazy = self.channel.flags.load(Relaxed) & LAZY != 0;
        if !lazy || self.channel.ring.len() * 2 >= self.channel.ring.capacity() {
            self.channel.reader.wake();
        }
    }

    /// Hands over the outcome; nothing comes after it.
    pub(crate) fn finish(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.finished = true;
        let sent = self.channel.ring.push(Event::Done(outcome)).is_ok();
        debug_assert!(sent, "the outcome's place was taken");
        self.channel.reader.wake();
    }
}

impl Drop for Writer {
    /// A writer dropped without an outcome means that the decode thread went away.
    fn drop(&mut self) {
        if !self.finished {
            let outcome = Outcome { result: Err(Error::Closed), usage: Usage::default(), timings: Timings::default() };
            self.end(outcome);
        }
    }
}

impl Stream {
    /// The next event, if one is ready.
    pub fn try_next(&mut self) -> Option<Event> {
        let event = self.channel.ring.pop()?;
        fence(SeqCst);
        if self.channel.flags.load(Relaxed) & STARVED != 0 {
            self.channel.flags.fetch_and(!STARVED, SeqCst);
            self.decoder.notify();
        }
        self.done |= matches!(event, Event::Done(_));
        Some(event)
    }

    /// Whether the outcome was read: nothing follows.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether `try_next` would give something; if not, `waker` is called when it would.
    pub fn poll_ready(&self, waker: &Waker) -> bool {
        if self.channel.ring.len() > 0 {
            return true;
        }
        register(&self.channel.reader, waker);
        // Again, for what came between the look and the registration.
        self.channel.ring.len() > 0
    }

    /// Asks to be woken when the ring is half full or at the end, rather than for each piece: for a reader that wants
    /// the whole text, and would only take the processor from the threads that compute it.
    pub fn read_lazily(&self) {
        self.channel.flags.fetch_or(LAZY, Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.done {
            self.channel.flags.fetch_or(CANCELLED, Release);
            self.decoder.notify();
        }
    }
}

#[cfg(not(loom))]
mod blocking {
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::{Duration, Instant};

    use super::{Event, Stream};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    thread_local! {
        /// One waker a thread: making one allocates.
        static UNPARK: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }

    impl Stream {
        /// Waits until `try_next` would give something, at most `limit`; says whether it would.
        pub fn wait(&self, limit: Duration) -> bool {
            let end = Instant::now() + limit;
            UNPARK.with(|waker| {
                while !self.poll_ready(waker) {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    thread::park_timeout(left);
                }
                true
            })
        }
    }

    impl Iterator for Stream {
        type Item = Event;

        /// Waits for the next event; `None` after the outcome.
        fn next(&mut self) -> Option<Event> {
            while !self.done {
                if let Some(event) = self.try_next() {
                    return Some(event);
                }
                self.wait(Duration::from_hours(1));
            }
            None
        }
    }
}
