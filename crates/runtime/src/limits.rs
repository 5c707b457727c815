//! What may be in memory at once, and for how long.

use std::time::{Duration, Instant};

/// What a pool keeps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Models, at least one; `None` for any number.
    pub models: Option<usize>,
    /// Bytes that all of them take; `None` for any number.
    pub bytes: Option<u64>,
    /// How long a model stays that nobody uses.
    pub idle: Keep,
    /// How long somebody waits for the room that others use.
    pub patience: Duration,
    /// How often the system is asked whether memory is short, as long as a model is loaded: models that nobody uses go
    /// then, the least recently used first, until it is not. `None` for never.
    pub pressure: Option<Duration>,
}

impl Default for Limits {
    /// Three models of any size, each for five minutes; whoever wants a fourth waits for a minute. Memory is looked at
    /// every two seconds, which takes a fraction of a millisecond.
    fn default() -> Self {
        let idle = Keep::For(Duration::from_mins(5));
        let (patience, pressure) = (Duration::from_mins(1), Some(Duration::from_secs(2)));
        Self { models: Some(3), bytes: None, idle, patience, pressure }
    }
}

/// How long a model that nobody uses stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// For this long since its last use, by a clock that nobody sets: zero for not at all.
    For(Duration),
    /// Until it is unloaded, or another one needs its room.
    Forever,
}

impl Keep {
    /// When a model goes that was used last at `used`.
    pub(crate) fn until(self, used: Instant) -> Option<Instant> {
        /// Longer than any process runs, and an instant can still be that far away.
        const FAR: Duration = Duration::from_hours(24 * 365 * 100);
        match self {
            Self::Forever => None,
            Self::For(time) => used.checked_add(time.min(FAR)),
        }
    }
}
