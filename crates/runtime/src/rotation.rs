//! Whether models that nobody uses should go because memory is short: a decision by what the system says of it, without
//! files or a clock of its own.
//!
//! There are two marks for each thing that is looked at. Below the low one models go, and they go on going until the
//! high one is reached; from then on nothing happens until it is below the low one again. With one mark, a machine on the
//! brink would unload a model with every look, whatever that gains.

use std::fmt;
use std::time::{Duration, Instant};

use trillm_machine::{Level, MemoryPressure};

/// Memory is short when less than this share of it is free, and no longer when twice that is: an eighth.
const LOW: u64 = 16;

/// The low mark is never higher, or a machine with 512 GiB would keep 32 of them free.
const MOST: u64 = 1 << 30;

/// Something waits for memory in so much of the time, or in so little of it.
const STALLED: f64 = 0.2;
const CALM: f64 = 0.1;

/// What the kernel says of waiting is about so long: what a model that went gained shows after that.
const MEMORY_OF_STALLS: Duration = Duration::from_secs(10);

/// How memory is short.
#[derive(Clone, PartialEq, Debug)]
pub enum Shortage {
    /// Little is left of this.
    Free(Level),
    /// Something waits for memory in this share of the time, 0 to 1.
    Stalled(f64),
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free(level) => level.fmt(f),
            Self::Stalled(share) => write!(f, "something waited for memory in {:.0} % of the last 10 s", share * 100.0),
        }
    }
}

/// Whether models are going, and why.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    /// It was below the low mark, and is not above the high one yet.
    is_short: bool,
    /// The same of those who wait.
    is_stalled: bool,
    /// When waiting counts again.
    stalls_count_from: Option<Instant>,
}

impl Rotation {
    /// Looks at what the system says: why the model that was used least recently should go, if it should. If one goes,
    /// say so ([`went`](Self::went)), and look again.
    pub(crate) fn look(&mut self, pressure: &MemoryPressure, now: Instant) -> Option<Shortage> {
        let factor = if self.is_short { 2 } else { 1 };
        let is_short = |level: &&Level| level.free < factor * (level.limit / LOW).min(MOST);
        let short = pressure.levels.iter().find(is_short);
        self.is_short = short.is_some();
        let least = if self.is_stalled { CALM } else { STALLED };
        let stalled = pressure.stalled.filter(|share| *share >= least);
        self.is_stalled = stalled.is_some();
        let stalled = stalled.filter(|_| self.stalls_count_from.is_none_or(|from| from <= now));
        short.cloned().map(Shortage::Free).or(stalled.map(Shortage::Stalled))
    }

    /// A model went.
    pub(crate) fn went(&mut self, now: Instant) {
        self.stalls_count_from = Some(now + MEMORY_OF_STALLS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GB: u64 = 1 << 30;

    /// A machine with 8 GiB, whose marks are 512 MiB and 1 GiB, of which so much is free.
    fn free(bytes: u64) -> MemoryPressure {
        MemoryPressure { levels: vec![Level { free: bytes, limit: 8 * GB, group: None }], stalled: None }
    }

    fn stalled(share: f64) -> MemoryPressure {
        MemoryPressure { stalled: Some(share), ..free(8 * GB) }
    }

    #[test]
    fn models_go_from_below_the_low_mark_until_the_high_one_is_reached() {
        let (mut rotation, now) = (Rotation::default(), Instant::now());
        for (free_now, goes) in [
            (8 * GB, false),
            (GB / 2, false),
            (GB / 2 - 1, true),
            (GB / 2, true),
            (GB - 1, true),
            (GB, false),
            // Quiet until it is below the low mark again.
            (GB - 1, false),
            (GB / 2, false),
            (GB / 2 - 1, true),
        ] {
            let found = rotation.look(&free(free_now), now);
            let level = Level { free: free_now, limit: 8 * GB, group: None };
            assert_eq!(found, goes.then_some(Shortage::Free(level)), "{free_now}");
            if goes {
                rotation.went(now);
            }
        }
    }

    #[test]
    fn much_memory_is_not_kept_free() {
        // 512 GiB: not 32 GiB, but 1 and 2.
        let level = |free| MemoryPressure { levels: vec![Level { free, limit: 512 * GB, group: None }], stalled: None };
        let now = Instant::now();
        assert_eq!(Rotation::default().look(&level(GB), now), None);
        let mut short = Rotation::default();
        assert!(short.look(&level(GB - 1), now).is_some());
        assert!(short.look(&level(2 * GB - 1), now).is_some());
        assert_eq!(short.look(&level(2 * GB), now), None);
    }

    #[test]
    fn the_tightest_of_all_limits_counts() {
        let group = Level { free: 5 << 20, limit: 256 << 20, group: Some("/a".into()) };
        let mut pressure = free(8 * GB);
        pressure.levels.insert(0, group.clone());
        let mut rotation = Rotation::default();
        assert_eq!(rotation.look(&pressure, Instant::now()), Some(Shortage::Free(group.clone())));
        pressure.levels[0].free = 32 << 20;
        assert_eq!(rotation.look(&pressure, Instant::now()), None);
        pressure.levels[1].free = 0;
        let machine = pressure.levels[1].clone();
        assert_eq!(rotation.look(&pressure, Instant::now()), Some(Shortage::Free(machine)));
    }

    #[test]
    fn what_waits_for_memory_is_given_time_to_show_what_was_gained() {
        let (mut rotation, now) = (Rotation::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(rotation.look(&stalled(0.19), at(0)), None);
        assert_eq!(rotation.look(&stalled(0.2), at(0)), Some(Shortage::Stalled(0.2)));
        rotation.went(at(0));
        assert_eq!(rotation.look(&stalled(0.9), at(9)), None);
        assert_eq!(rotation.look(&stalled(0.1), at(10)), Some(Shortage::Stalled(0.1)));
        rotation.went(at(10));
        assert_eq!(rotation.look(&stalled(0.09), at(20)), None);
        assert_eq!(rotation.look(&stalled(0.19), at(21)), None, "it is calm until it is over the mark again");
        assert_eq!(rotation.look(&stalled(0.3), at(22)), Some(Shortage::Stalled(0.3)));
    }

    #[test]
    fn where_nothing_is_known_nothing_goes() {
        assert_eq!(Rotation::default().look(&MemoryPressure::default(), Instant::now()), None);
    }

    #[test]
    fn a_shortage_says_its_numbers() {
        let level = Level { free: 12_345_678, limit: 256_000_000, group: None };
        assert_eq!(Shortage::Free(level).to_string(), "12 MB of 256 MB are free (this machine)");
        assert_eq!(Shortage::Stalled(0.254).to_string(), "something waited for memory in 25 % of the last 10 s");
    }

    proptest! {
        /// Whatever the system says: after a look that asked for nothing, models go only from below the low mark; after
        /// one that did, until the high one is reached.
        #[test]
        fn between_the_marks_it_goes_on_as_it_was(looks in prop::collection::vec(0..2 * GB, 1..100)) {
            let (mut rotation, now) = (Rotation::default(), Instant::now());
            let mut goes = false;
            for bytes in looks {
                goes = if goes { bytes < GB } else { bytes < GB / 2 };
                prop_assert_eq!(rotation.look(&free(bytes), now).is_some(), goes);
            }
        }
    }
}
