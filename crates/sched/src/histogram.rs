//! How long requests took: a count for each of some hundred buckets, which are as wide as what they hold is long.
//!
//! No list of times is kept, so that a model which runs for months needs no more memory than a new one, and whoever
//! takes a time down does one addition, without a lock. The price is that a percentile is not exact: it is the middle of
//! its bucket, which is off by at most [`ERROR`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Each octave (from a time to twice as much) has this many buckets, by their binary logarithm.
const BITS: u32 = 4;

/// The shortest time that is told from shorter ones: 2^10 ns, about a microsecond.
const SHORTEST: u32 = 10;

/// Where times end that are told from longer ones: 2^46 ns, 19 hours.
const LONGEST: u32 = 46;

const BUCKETS: usize = ((LONGEST - SHORTEST) << BITS) as usize;

/// How much of a time its percentile may be off, above or below: the widest bucket goes from 16 to 17 parts, and its
/// middle, 2·16·17 / 33, is 1/33 from either. Beyond the shortest and the longest time it says those.
#[cfg(test)]
pub(crate) const ERROR: f64 = 1.0 / 33.0;

/// Times, counted by how long they are. Any number of threads may add to it and read it at once.
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

/// Of all times that were taken, how long so many in a hundred took at the most, to within 3.1 %; all zero while there
/// are none. Times under a microsecond count as one, those over 19 hours as 19 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many times were taken.
    pub count: u64,
    /// Half of them took no longer: the median.
    pub p50: Duration,
    /// 95 of a hundred took no longer.
    pub p95: Duration,
    /// 99 of a hundred took no longer.
    pub p99: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Counts one.
    pub(crate) fn add(&self, time: Duration) {
        self.0[bucket(time)].fetch_add(1, Relaxed);
    }

    /// As it is now; what is added meanwhile may count or not.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let counts = self.0.each_ref().map(|count| count.load(Relaxed));
        let count = counts.iter().sum();
        // The first bucket up to which there are so many: of 200 times the 95th percentile is the 190th.
        let of = |percent: u64| {
            let rank = (u128::from(count) * u128::from(percent)).div_ceil(100);
            let mut seen = 0;
            let found = counts.iter().position(|&here| {
                seen += u128::from(here);
                seen >= rank
            });
            found.map_or(Duration::ZERO, middle)
        };
        if count == 0 {
            return Percentiles::default();
        }
        Percentiles { count, p50: of(50), p95: of(95), p99: of(99) }
    }
}

/// The place of a time's bucket.
fn bucket(time: Duration) -> usize {
    let nanoseconds = time.as_nanos().clamp(1 << SHORTEST, (1 << LONGEST) - 1) as u64;
    let octave = nanoseconds.ilog2();
    let part = (nanoseconds >> (octave - BITS)) as usize & ((1 << BITS) - 1);
    ((octave - SHORTEST) << BITS) as usize + part
}

/// The time that is off by the same share of the shortest and of the longest one in a bucket.
fn middle(bucket: usize) -> Duration {
    let (octave, part) = (SHORTEST + (bucket >> BITS) as u32, (bucket & ((1 << BITS) - 1)) as u64);
    let begin = ((1 << BITS) + part) << (octave - BITS);
    let end = begin + (1 << (octave - BITS));
    let (begin, end) = (begin as f64, end as f64);
    Duration::from_nanos((2.0 * begin * end / (begin + end)).round() as u64)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// Times of every length that is told apart: as many short ones as long ones.
    fn times() -> impl Strategy<Value = Vec<u64>> {
        let time =
            (SHORTEST..LONGEST, 0.0..1.0).prop_map(|(octave, more)| ((1.0 + more) * 2_f64.powi(octave as i32)) as u64);
        prop::collection::vec(time, 1..400)
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_times(mut times in times()) {
            let histogram = Histogram::default();
            for &time in &times {
                histogram.add(Duration::from_nanos(time));
            }
            times.sort_unstable();
            let found = histogram.percentiles();
            prop_assert_eq!(found.count, times.len() as u64);
            for (percent, found) in [(50, found.p50), (95, found.p95), (99, found.p99)] {
                let exact = times[(times.len() * percent).div_ceil(100) - 1] as f64;
                let error = (found.as_nanos() as f64 - exact).abs() / exact;
                // Rounded to a nanosecond, of a thousand at least.
                prop_assert!(error <= ERROR + 0.0005, "{percent}: {found:?} for {exact} ns, {error}");
            }
        }
    }

    #[test]
    fn none_is_none() {
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
    }

    #[test]
    fn what_is_too_short_or_too_long_counts_as_the_shortest_or_longest() {
        let histogram = Histogram::default();
        histogram.add(Duration::ZERO);
        let shortest = histogram.percentiles().p50;
        histogram.add(Duration::MAX);
        let longest = histogram.percentiles().p99;
        // 2^10 ns and 2^46 ns, which are the ends of their buckets.
        assert!((shortest.as_secs_f64() / 1.024e-6 - 1.0).abs() <= ERROR, "{shortest:?}");
        assert!((longest.as_secs_f64() / 70_368.744 - 1.0).abs() <= ERROR, "{longest:?}");
    }

    #[test]
    fn many_threads_lose_none() {
        let histogram = Histogram::default();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| histogram.add(Duration::from_millis(3))));
            }
        });
        assert_eq!(histogram.percentiles().count, 40_000);
    }
}
