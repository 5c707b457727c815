//! Microseconds to enter and leave a region whose work is next to nothing: `cargo bench -p trillm-pool`.
//!
//! `warm` is one region right after another, as within a token; `after a pause` finds the workers asleep.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use trillm_pool::Pool;

fn main() {
    let most = thread::available_parallelism().map_or(1, usize::from);
    println!("{:24} {:>10} {:>14}", "microseconds (median)", "warm", "after a pause");
    for threads in 1..=most {
        let mut pool = match Pool::new(threads) {
            Ok(pool) => pool,
            Err(error) => return println!("{error}"),
        };
        let warm = time(&mut pool, 20_000, Duration::ZERO);
        let cold = time(&mut pool, 200, Duration::from_millis(1));
        println!("{:24} {warm:10.2} {cold:14.2}", format!("{threads} threads"));
    }
}

fn time(pool: &mut Pool, rounds: usize, pause: Duration) -> f64 {
    let blocks = pool.threads() * 4;
    let mut scratch = vec![0_usize; pool.threads()];
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            let start = Instant::now();
            pool.for_each(blocks, &mut scratch, |mine, block| *mine += black_box(block));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}
