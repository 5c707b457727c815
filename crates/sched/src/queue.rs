//! How many requests wait for a slot, and how many may.
//!
//! A count and no list: whoever waits is in the intake or with the decode thread. It is apart from both so that a
//! request whose reader goes away is not counted from that moment on, and not only when the decode thread, which may be
//! in the middle of a step of seconds, has looked at it.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use trillm_core::{Error, Result};

use crate::sync::AtomicUsize;

pub(crate) struct Queue {
    waiting: AtomicUsize,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), limit }
    }

    /// Counts one more, if there is room.
    pub(crate) fn try_enter(&self) -> Result<()> {
        let queued = self.waiting.fetch_add(1, AcqRel);
        if queued < self.limit {
            return Ok(());
        }
        self.leave();
        Err(Error::Overloaded { queued, limit: self.limit })
    }

    /// Counts one more, over the limit if need be: one that was let in before.
    pub(crate) fn enter(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.waiting.fetch_sub(1, AcqRel);
    }

    #[cfg(loom)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}
