//! Counters that anyone may read while the decode thread runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        /// What a scheduler has done and is doing. A snapshot: the numbers may be a step apart.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)* }

        impl Stats {
            /// Every counter with its name.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Requests that wait for a slot.
    waiting,
    /// Requests that hold a slot.
    running,
    /// Requests that gave up their slot to others because their reader has fallen behind.
    paused,
    /// Requests that ended, in whatever way.
    finished,
    /// Of those, requests that were cancelled.
    cancelled,
    /// Steps computed.
    steps,
    /// Prompt tokens computed, those computed again after a preemption included.
    prompt_tokens,
    /// Prompt tokens found in the cache.
    cached_tokens,
    /// Tokens generated.
    generated_tokens,
    /// Sequences that gave up their slot to others, to be computed again.
    preemptions,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }

    pub(crate) fn set(counter: &AtomicU64, n: usize) {
        counter.store(n as u64, Relaxed);
    }
}
