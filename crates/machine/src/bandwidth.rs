//! How fast memory is read, which is what bounds decoding: each token reads all weights once.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use crate::{Cache, Memory, default_threads};

/// Read at least so many bytes: less ends before the threads run at the same time.
const LEAST: usize = 64 << 20;

/// Nor more than this, however large the caches are.
const MOST: usize = 1 << 30;

/// The best of so many passes counts: others may have used the machine meanwhile.
const PASSES: usize = 5;

/// Bytes a second that all cores together read from memory that no cache has, measured now, which takes up to about a
/// second; `None` where there is too little memory or a thread cannot be started.
pub fn read_bandwidth() -> Option<f64> {
    let size = size(&Cache::all(), Memory::now()?.available)?;
    let mut data = Vec::<u64>::new();
    data.try_reserve_exact(size / size_of::<u64>()).ok()?;
    // Written, so that it is memory and not one page of zeros.
    data.extend((0..size / size_of::<u64>()).map(|index| index as u64));
    let threads = default_threads() as usize;
    (0..PASSES).map(|_| pass(&data, threads)).try_fold(0.0, |best: f64, speed| Some(best.max(speed?)))
}

/// More than the caches of all processors hold, as far as an eighth of what is free allows.
fn size(caches: &[Cache], available: u64) -> Option<usize> {
    let largest = caches.iter().map(|cache| cache.bytes).max().unwrap_or(0);
    let wanted = usize::try_from(largest.saturating_mul(2)).unwrap_or(MOST).clamp(LEAST, MOST);
    let size = wanted.min(usize::try_from(available / 8).unwrap_or(MOST));
    (size >= LEAST).then_some(size)
}

fn pass(data: &[u64], threads: usize) -> Option<f64> {
    let start = Instant::now();
    thread::scope(|scope| {
        let share = |part: &[u64]| black_box(part.iter().fold(0u64, |sum, word| sum.wrapping_add(*word)));
        let parts = data.chunks(data.len().div_ceil(threads));
        let running: Vec<_> =
            parts.map(|part| thread::Builder::new().spawn_scoped(scope, move || share(part))).collect();
        running.into_iter().try_for_each(|thread| thread.ok()?.join().ok().map(drop))
    })?;
    Some(size_of_val(data) as f64 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_larger_than_the_caches_and_small_beside_memory() {
        let cache = |bytes| [Cache { level: 3, bytes, shared: 8 }];
        assert_eq!(size(&[], 16 << 30), Some(LEAST));
        assert_eq!(size(&cache(100 << 20), 16 << 30), Some(200 << 20));
        assert_eq!(size(&cache(100 << 20), 1 << 30), Some(128 << 20));
        assert_eq!(size(&cache(u64::MAX), u64::MAX), Some(MOST));
        assert_eq!(size(&cache(100 << 20), 100 << 20), None);
    }

    #[test]
    fn memory_is_read_at_some_speed() {
        let speed = read_bandwidth().expect("a machine that builds this has memory");
        // Between the slowest memory and the widest there are.
        assert!((1e8..1e13).contains(&speed), "{speed}");
    }
}
