//! What the callers' threads and the decode thread share.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, OnceLock};

use trillm_core::Error;

use crate::SchedulerOptions;
use crate::lockfree::Intake;
use crate::queue::Queue;
use crate::sequence::Sequence;
use crate::stats::{Counters, Latencies};
use crate::wake::Wake;

pub(crate) struct Shared {
    pub(crate) intake: Intake<Sequence>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) closed: AtomicBool,
    /// Why no session can be made any more, if that is why it is closed.
    pub(crate) failure: OnceLock<Error>,
    /// The longest sequence that can be computed, once a step found out that it is shorter than the limits say.
    pub(crate) longest: AtomicU32,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Counters,
    pub(crate) latencies: Arc<Latencies>,
    pub(crate) options: SchedulerOptions,
}

impl Shared {
    /// What requests end with that come too late.
    pub(crate) fn why_closed(&self) -> Error {
        self.failure.get().cloned().unwrap_or(Error::Closed)
    }
}
