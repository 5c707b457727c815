//! The way of a request's pieces from the decode thread to whoever reads them.
//!
//! Dropping the [`Stream`] cancels the request: a closed iterator, a cancelled task and a vanished client are all this
//! one path, and a [`Canceller`] takes it from another thread. A reader that falls behind fills the ring; its sequence
//! is then skipped, gives up its slot if another wants it, and goes on when the reader has caught up with half: going
//! on may cost computing everything again, which a single piece is not worth.

use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release, SeqCst};
use std::task::Waker;

use trillm_core::{Error, Outcome, Piece, Timings, Usage};

use crate::lockfree::Ring;
use crate::queue::Queue;
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
/// The writer found the ring full; the reader must wake it after reading half of it.
const STARVED: u32 = 2;
/// The reader wants to be woken when the ring is half full or at the end, not for each piece.
const LAZY: u32 = 4;
/// The request is counted in the queue. Whoever takes this away counts it out, so that is done once.
const QUEUED: u32 = 8;

struct Channel {
    /// One place more than pieces may fill, so that the outcome always has room.
    ring: Ring<Event>,
    flags: AtomicU32,
    reader: AtomicWaker,
    decoder: Arc<Wake>,
    queue: Arc<Queue>,
}

impl Channel {
    /// Pieces that the ring holds.
    fn capacity(&self) -> usize {
        self.ring.capacity() - 1
    }

    /// Whether the reader has caught up far enough for a writer that found the ring full to go on.
    fn caught_up(&self) -> bool {
        self.ring.len() <= self.capacity() / 2
    }

    fn leave_queue(&self) {
        if self.flags.fetch_and(!QUEUED, AcqRel) & QUEUED != 0 {
            self.queue.leave();
        }
    }

    fn cancel(&self) {
        self.flags.fetch_or(CANCELLED, Release);
        self.leave_queue();
        self.decoder.notify();
    }
}

/// The decode thread's end.
pub(crate) struct Writer {
    channel: Arc<Channel>,
    /// It found the ring full, and the reader has not caught up since.
    starved: bool,
    finished: bool,
}

/// The reader's end of one request. Dropping it cancels the request.
pub struct Stream {
    channel: Arc<Channel>,
    done: bool,
}

/// Cancels a request whose stream another thread may be reading.
#[derive(Clone)]
pub struct Canceller {
    channel: Arc<Channel>,
}

/// Both ends of a channel that holds `capacity` pieces, of a request that is counted in `queue`; `decoder` is woken
/// when there is something to do for the decode thread.
pub(crate) fn channel(capacity: usize, decoder: Arc<Wake>, queue: Arc<Queue>) -> (Writer, Stream) {
    let channel = Arc::new(Channel {
        ring: Ring::new(capacity + 1),
        flags: AtomicU32::new(QUEUED),
        reader: AtomicWaker::new(),
        decoder,
        queue,
    });
    (Writer { channel: channel.clone(), starved: false, finished: false }, Stream { channel, done: false })
}

impl Writer {
    pub(crate) fn cancelled(&self) -> bool {
        self.channel.flags.load(Relaxed) & CANCELLED != 0
    }

    /// Whether a piece has room now. Once it had none, only after the reader has caught up, which wakes the decode
    /// thread.
    pub(crate) fn has_room(&mut self) -> bool {
        let channel = &*self.channel;
        if !self.starved && channel.ring.len() < channel.capacity() {
            return true;
        }
        channel.flags.fetch_or(STARVED, SeqCst);
        // The reader makes room and then looks at the flag; here the flag is set and then room looked for. The fences
        // on both sides make one of the two see the other.
        fence(SeqCst);
        self.starved = !channel.caught_up();
        !self.starved
    }

    /// Counts the request in the queue again: it waits for a slot.
    pub(crate) fn enter_queue(&self) {
        self.channel.queue.enter();
        self.channel.flags.fetch_or(QUEUED, AcqRel);
    }

    /// Counts the request out of the queue, unless its reader did: it has a slot.
    pub(crate) fn leave_queue(&self) {
        self.channel.leave_queue();
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
        self.channel.leave_queue();
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
        if self.channel.flags.load(Relaxed) & STARVED != 0 && self.channel.caught_up() {
            self.channel.flags.fetch_and(!STARVED, SeqCst);
            self.channel.decoder.notify();
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

    /// What cancels this request while the stream is read elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller { channel: self.channel.clone() }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.done {
            self.channel.cancel();
        }
    }
}

impl Canceller {
    /// Ends the request soon: its stream gives the pieces that are there, and then
    /// [`Cancelled`](trillm_core::Error::Cancelled). Harmless if it has ended, and when called again.
    pub fn cancel(&self) {
        self.channel.cancel();
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
