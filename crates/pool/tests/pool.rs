//! Regions with many threads and blocks, with panics, and thousands of them.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use trillm_pool::{Grid, Pool};

fn pool(threads: usize) -> Pool {
    Pool::new(threads).expect("threads can be started")
}

#[test]
fn every_block_runs_once() {
    for threads in [1, 2, 3, 8, 33] {
        let mut pool = pool(threads);
        assert_eq!(pool.threads(), threads);
        for blocks in [0, 1, 2, 3, 100, 10_000] {
            let counts: Vec<AtomicUsize> = (0..blocks).map(|_| AtomicUsize::new(0)).collect();
            let mut scratch = vec![0; threads];
            pool.for_each(blocks, &mut scratch, |mine, block| {
                *mine += 1;
                counts[block].fetch_add(1, Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Relaxed) == 1), "{threads} threads, {blocks} blocks");
            assert_eq!(scratch.iter().sum::<usize>(), blocks);
        }
    }
}

#[test]
fn zero_threads_count_as_one() {
    assert_eq!(pool(0).threads(), 1);
}

#[test]
fn thousands_of_regions_lose_nothing() {
    for threads in [2, 5] {
        let mut pool = pool(threads);
        let (mut scratch, mut out) = (vec![(); threads], vec![0_u32; 64]);
        let cuts: Vec<usize> = (0..=16).map(|cut| cut * 4).collect();
        for round in 0..20_000 {
            // Plain memory, written by others than who reads it: what `close` must make visible.
            pool.for_tiles(&mut out, Grid { row_cuts: &[0, 1], column_cuts: &cuts }, &mut scratch, |(), mut tile| {
                for value in tile.row_mut(0) {
                    *value += 1;
                }
            });
            assert!(out.iter().all(|value| *value == round + 1));
            // Now and then long enough that workers sleep.
            if round % 5_000 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

#[test]
fn work_is_shared() {
    let mut pool = pool(2);
    let seen = Mutex::new(HashSet::new());
    // Each waits until both threads are inside, so this ends only if they are.
    let inside = AtomicUsize::new(0);
    pool.for_each(2, &mut [(), ()], |(), _| {
        inside.fetch_add(1, SeqCst);
        while inside.load(SeqCst) < 2 {
            thread::yield_now();
        }
        let name = thread::current().name().map(str::to_owned);
        seen.lock().expect("no panic").insert((thread::current().id(), name));
    });
    let seen = seen.into_inner().expect("no panic");
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().any(|(_, name)| name.as_deref() == Some("trillm-compute")));
}

#[test]
fn a_thread_that_does_not_come_is_not_waited_for() {
    // One block keeps a worker for long; the other blocks are done meanwhile by whoever is free.
    let mut pool = pool(2);
    let done = AtomicUsize::new(0);
    pool.for_each(100, &mut [(), ()], |(), block| {
        if block == 0 {
            while done.load(SeqCst) < 99 {
                thread::yield_now();
            }
        } else {
            done.fetch_add(1, SeqCst);
        }
    });
    assert_eq!(done.load(SeqCst), 99);
}

#[test]
fn the_caller_sleeps_while_it_waits_and_is_woken() {
    let mut pool = pool(2);
    let main = thread::current().id();
    let mut scratch = [(), ()];
    for _ in 0..20 {
        let started = AtomicUsize::new(0);
        pool.for_each(2, &mut scratch, |(), _| {
            started.fetch_add(1, SeqCst);
            while started.load(SeqCst) < 2 {
                thread::yield_now();
            }
            if thread::current().id() != main {
                thread::sleep(Duration::from_millis(3));
            }
        });
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    for threads in [1, 2, 4] {
        let mut pool = pool(threads);
        let mut scratch = vec![(); threads];
        for bad in [0, 7, 63] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.for_each(64, &mut scratch, |(), block| assert!(block != bad, "block {block} is bad"));
            }));
            let payload = caught.expect_err("it panicked");
            assert_eq!(payload.downcast_ref::<String>(), Some(&format!("block {bad} is bad")));
            let count = AtomicUsize::new(0);
            pool.for_each(64, &mut scratch, |(), _| {
                count.fetch_add(1, Relaxed);
            });
            assert_eq!(count.load(Relaxed), 64);
        }
        // All threads at once.
        let caught = catch_unwind(AssertUnwindSafe(|| pool.for_each(64, &mut scratch, |(), _| panic!("all"))));
        assert_eq!(caught.expect_err("it panicked").downcast_ref::<&str>(), Some(&"all"));
    }
}

#[test]
fn dropping_ends_the_threads() {
    for _ in 0..50 {
        let mut pool = pool(4);
        pool.for_each(8, &mut [(); 4], |(), _| {});
    }
}

#[test]
fn a_grid_that_is_none_is_refused() {
    let cases: [(&[usize], &[usize]); 8] = [
        (&[], &[0, 4]),
        (&[0, 2], &[]),
        (&[1, 2], &[0, 4]),
        (&[0, 2], &[0, 3, 3, 4]),
        (&[0, 2], &[0, 5, 4]),
        (&[0, 3], &[0, 4]),
        (&[0, 2], &[0, 5]),
        (&[0, usize::MAX], &[0, usize::MAX]),
    ];
    let mut pool = pool(2);
    for (row_cuts, column_cuts) in cases {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.for_tiles(&mut [0; 8], Grid { row_cuts, column_cuts }, &mut [(), ()], |(), _| {});
        }));
        assert!(caught.is_err(), "{row_cuts:?} {column_cuts:?}");
    }
    let caught = catch_unwind(AssertUnwindSafe(|| pool.for_each(4, &mut [()], |(), _| {})));
    assert!(caught.is_err(), "scratch for one of two threads");
}

#[test]
fn a_row_of_another_tile_is_refused() {
    let mut pool = pool(1);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        pool.for_tiles(&mut [0; 8], Grid { row_cuts: &[0, 1, 2], column_cuts: &[0, 4] }, &mut [()], |(), mut tile| {
            tile.row_mut(1)[0] = 1;
        });
    }));
    assert!(caught.is_err());
}

/// Cuts of blocks with these sizes.
fn cuts(sizes: &[usize]) -> Vec<usize> {
    let mut cuts = vec![0];
    for size in sizes {
        cuts.push(cuts[cuts.len() - 1] + size);
    }
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tiles_cover_the_output_once(
        rows in prop::collection::vec(1_usize..5, 0..6),
        columns in prop::collection::vec(1_usize..40, 0..6),
        threads in 1_usize..5,
    ) {
        let (row_cuts, column_cuts) = (cuts(&rows), cuts(&columns));
        let width: usize = columns.iter().sum();
        let mut out = vec![0_usize; rows.iter().sum::<usize>() * width];
        let mut scratch = vec![(); threads];
        pool(threads).for_tiles(&mut out, Grid { row_cuts: &row_cuts, column_cuts: &column_cuts }, &mut scratch,
            |(), mut tile| {
                assert_eq!(tile.rows(), row_cuts[tile.row_index()]..row_cuts[tile.row_index() + 1]);
                assert_eq!(tile.columns(), column_cuts[tile.column_index()]..column_cuts[tile.column_index() + 1]);
                let columns = tile.columns();
                for row in tile.rows() {
                    for (value, column) in tile.row_mut(row).iter_mut().zip(columns.clone()) {
                        *value += row * width + column + 1;
                    }
                }
            });
        prop_assert!(out.iter().enumerate().all(|(at, value)| *value == at + 1));
    }
}
