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
}

impl Default for Limits {
    /// Three models of any size, each for five minutes; whoever wants a fourth waits for a minute.
    fn default() -> Self {
        let idle = Keep::For(Duration::from_mins(5));
        Self { models: Some(3), bytes: None, idle, patience: Duration::from_mins(1) }
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
