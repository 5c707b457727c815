//! When a thread may compute: from when it has its cores until others have waited long enough for them.
//!
//! A turn is longer than a step where steps are short. It takes some 50 µs until a thread that was woken runs on another
//! core, and until its model's weights are in that core's cache; a token of a tiny model takes 200 µs. The cores are kept
//! from one step to the next, sampling included, so nobody else's threads are in the way of what the thread itself does.

use std::time::{Duration, Instant};

use crate::cores::{Cores, Seat};
use crate::sync::Arc;
use crate::wake::Wake;

/// How long a thread computes while others wait, or one step if that is longer.
const SLICE: Duration = Duration::from_millis(2);

/// The turns of one thread. It gives back what it has when it is dropped, by a panic as well.
pub(crate) struct Turn {
    cores: Arc<Cores>,
    seat: Arc<Seat>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// It has no cores and wants none.
    Away,
    InLine,
    /// It computes, since then.
    Here(Instant),
}

impl Turn {
    /// For a thread that computes on so many cores, and sleeps by `wake`.
    pub(crate) fn new(cores: Arc<Cores>, threads: u32, wake: Arc<Wake>) -> Self {
        Self { cores, seat: Arc::new(Seat::new(threads, wake)), state: State::Away }
    }

    /// Whether a step may be computed now. If not, the thread stands in line, and its `wake` is notified at the end.
    pub(crate) fn begin(&mut self) -> bool {
        if let State::Here(since) = self.state {
            if !self.is_wanted() || since.elapsed() < SLICE {
                return true;
            }
            self.end();
        }
        let has_cores = match self.state {
            State::InLine => self.has_come(),
            _ => {
                self.cores.take(&self.seat) || {
                    self.cores.queue(&self.seat);
                    self.state = State::InLine;
                    self.has_come()
                }
            }
        };
        if has_cores {
            self.state = State::Here(Instant::now());
        }
        has_cores
    }

    /// Whether it stood in line and has come to its end.
    pub(crate) fn has_come(&self) -> bool {
        matches!(self.state, State::InLine) && self.seat.has_cores()
    }

    /// Whether others wait for cores.
    pub(crate) fn is_wanted(&self) -> bool {
        self.cores.are_wanted()
    }

    /// Gives the cores back, or the place in line.
    pub(crate) fn end(&mut self) {
        match self.state {
            State::Away => {}
            State::InLine => self.cores.leave(&self.seat),
            State::Here(_) => self.cores.give(&self.seat),
        }
        self.state = State::Away;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
    }
}
