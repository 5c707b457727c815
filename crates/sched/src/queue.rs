//! How many requests wait for a slot, and how many may.
//!
//! Who comes when a slot is free does not wait, though the decode thread has not looked yet: as many more are let in as
//! there are slots that nobody has.
//!
//! A count and no list: whoever waits is in the intake or with the decode thread. It is apart from both so that a
//! request whose reader goes away is not counted from that moment on, and not only when the decode thread, which may be
//! in the middle of a step of seconds, has looked at it.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use trillm_core::{Error, Result};

use crate::sync::AtomicUsize;

pub(crate) struct Queue {
    waiting: AtomicUsize,
    /// Slots that nobody has, as the decode thread saw it last. Those that will take them are among the waiting.
    idle: AtomicUsize,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), idle: AtomicUsize::new(0), limit }
    }

    /// Counts one more, if there is room.
    pub(crate) fn try_enter(&self) -> Result<()> {
        let before = self.waiting.fetch_add(1, AcqRel);
        let queued = before.saturating_sub(self.idle.load(Relaxed));
        if queued < self.limit {
            return Ok(());
        }
        self.leave();
        Err(Error::Overloaded { queued, limit: self.limit })
    }

    /// So many slots are free.
    pub(crate) fn set_idle(&self, slots: usize) {
        self.idle.store(slots, Relaxed);
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
