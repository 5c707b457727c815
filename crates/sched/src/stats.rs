//! Counters that anyone may read while the decode thread runs, and how long requests took.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::histogram::{Histogram, Percentiles};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        /// What a model has done and is doing. A snapshot: the numbers may be a step apart.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
            /// How long requests took, from their submission to their end; see [`Latencies`] for which of them count.
            pub latency: Percentiles,
            /// How long it took from their submission to their first token.
            pub first_token: Percentiles,
        }

        impl Stats {
            /// Every counter with its name.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// The counters of two that serve one model; their times are counted together, so they are those of either.
            #[must_use]
            pub fn with(self, other: &Self) -> Self {
                Self { $($name: self.$name + other.$name,)* ..self }
            }
        }

        impl Counters {
            pub(crate) fn read(&self, latencies: &Latencies) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)* ..latencies.read() }
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

/// How long the requests of a model took, whoever served them: its scheduler, and what embeds, which is made anew now
/// and then.
///
/// A request begins when it is submitted: its text has become tokens by then. What counts to its end is one that ends
/// with its answer: by a stop, by its length, or with its vectors. One that is cancelled, runs out of time or fails says
/// nothing of how long an answer takes. What counts to its first token is any that gets one, whatever becomes of it.
/// Vectors and scores have none; one call for them is one request, however many texts it has.
#[derive(Default)]
pub struct Latencies {
    pub(crate) whole: Histogram,
    pub(crate) first_token: Histogram,
}

impl Latencies {
    /// The times, beside counters of nothing.
    pub fn read(&self) -> Stats {
        let (latency, first_token) = (self.whole.percentiles(), self.first_token.percentiles());
        Stats { latency, first_token, ..Stats::default() }
    }
}
