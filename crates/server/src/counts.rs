//! How many requests there were, and what became of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a server has counted.
#[derive(Default)]
pub(crate) struct Counts {
    requests: AtomicU64,
    errors: AtomicU64,
    /// Nanoseconds until answers began, all together.
    latency: AtomicU64,
}

impl Counts {
    /// Counts a request that was answered, or begins to be, after that time.
    pub(crate) fn count(&self, latency: Duration, is_error: bool) {
        self.requests.fetch_add(1, Relaxed);
        self.errors.fetch_add(u64::from(is_error), Relaxed);
        self.latency.fetch_add(latency.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Seconds until answers began, all together.
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.latency.load(Relaxed)).as_secs_f64()
    }
}
