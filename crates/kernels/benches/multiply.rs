//! How near products come to what memory and arithmetic allow: `cargo bench -p trillm-kernels`.
//!
//! The weights are those of `SmolLM2` 135M: 30 layers and the head, one after another, so nothing but the smallest cache
//! levels is hot. With few rows the measure is GB/s of weights beside a plain read of as much memory; with many rows
//! GFLOP/s beside multiply-adds in registers. Best of several runs; `TRILLM_THREADS` sets the threads (all cores).
#![allow(clippy::print_stdout)]
#![expect(clippy::inline_always, reason = "kernels")]

use std::hint::black_box;
use std::io;
use std::time::Instant;

use trillm_kernels::simd::{Isa, Op, Simd};
use trillm_kernels::{Compute, Matrix, Weights, multiply};

/// Outputs of the parts and inputs of one product.
type Shape = (&'static [usize], usize);

const LAYER: [Shape; 4] = [(&[576, 192, 192], 576), (&[576], 576), (&[1536, 1536], 576), (&[576], 1536)];
const HEAD: Shape = (&[49_152], 576);
const LAYERS: usize = 30;

fn main() -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = std::env::var("TRILLM_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(cores);
    let shapes: Vec<Shape> = LAYER.iter().copied().cycle().take(LAYERS * LAYER.len()).chain([HEAD]).collect();
    let count: usize = shapes.iter().map(|(outputs, k)| outputs.iter().sum::<usize>() * k).sum();
    let halves: Vec<u16> = (0..count).map(|i| 0x3c00 | (i % 1021) as u16).collect();
    let singles: Vec<f32> = (0..count).map(|i| (i % 1021) as f32 / 1021.0).collect();
    let mut out = vec![0.0; 512 * 49_152 / 16];
    for isa in Isa::available().into_iter().rev() {
        let mut compute = Compute::with_isa(threads, isa)?;
        let (read, peak) = (best(7, || read(&mut compute, &singles)), best(5, || arithmetic(&mut compute)));
        let (read, peak) = (singles.len() as f64 * 4.0 / read / 1e9, ARITHMETIC as f64 * threads as f64 / peak / 1e9);
        println!("{}, {threads} threads: reads {read:.1} GB/s, computes {peak:.0} GFLOP/s", isa.name());
        for (name, weights) in
            [("bf16", Weights::Bf16(&halves)), ("f16", Weights::F16(&halves)), ("f32", Weights::F32(&singles))]
        {
            let mut one = 0.0;
            for rows in [1, 2, 4, 8] {
                let time = best(7, || all(&mut compute, weights, &shapes, rows, &mut out));
                let speed = count as f64 * weights.size() as f64 / time / 1e9;
                one = if rows == 1 { time } else { one };
                let (share, more) = (speed / read, one / time * f64::from(rows as u32));
                println!(
                    "{name:5} {rows:3} rows {:8.2} ms {speed:7.1} GB/s {share:5.2} of reading, {more:5.2} x one row",
                    time * 1e3
                );
            }
            for rows in [12, 16, 32, 128, 512] {
                // Layers are alike: a few are enough where each takes long.
                let some = &shapes[..if rows > 32 { 3 * LAYER.len() } else { LAYERS * LAYER.len() }];
                let work: usize = some.iter().map(|(outputs, k)| 2 * outputs.iter().sum::<usize>() * k * rows).sum();
                let time = best(5, || all(&mut compute, weights, some, rows, &mut out));
                let speed = work as f64 / time / 1e9;
                println!(
                    "{name:5} {rows:3} rows {:8.2} ms {speed:7.1} GFLOP/s {:5.2} of peak",
                    time * 1e3,
                    speed / peak
                );
            }
        }
    }
    Ok(())
}

/// The least seconds of some runs.
fn best(runs: usize, mut run: impl FnMut()) -> f64 {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// All products of the model, for `rows` rows.
fn all(compute: &mut Compute, weights: Weights<'_>, shapes: &[Shape], rows: usize, out: &mut [f32]) {
    let x = vec![0.5; rows * 1536];
    let mut start = 0;
    for (outputs, k) in shapes {
        let mut parts = [Matrix { weights: Weights::F32(&[]), rows: 0, columns: *k }; 3];
        for (part, rows) in parts.iter_mut().zip(*outputs) {
            let range = start..start + rows * k;
            start = range.end;
            let weights = match weights {
                Weights::F32(all) => Weights::F32(&all[range]),
                Weights::F16(all) => Weights::F16(&all[range]),
                Weights::Bf16(all) => Weights::Bf16(&all[range]),
            };
            *part = Matrix { weights, rows: *rows, columns: *k };
        }
        let wide: usize = outputs.iter().sum();
        multiply(compute, &x[..rows * k], rows, &parts[..outputs.len()], &mut out[..rows * wide]);
    }
    black_box(out);
}

/// Adds up all of `values`: what reading memory takes.
fn read(compute: &mut Compute, values: &[f32]) {
    struct Sum<'a>(&'a [f32]);
    impl Op for Sum<'_> {
        type Out = f32;

        #[inline(always)]
        fn run<S: Simd<N>, const N: usize>(self, simd: S) -> f32 {
            let mut sums = [simd.zero(); 8];
            for chunk in self.0.as_chunks::<N>().0.as_chunks::<8>().0 {
                for (sum, values) in sums.iter_mut().zip(chunk) {
                    *sum = simd.add(*sum, simd.load(values));
                }
            }
            sums.into_iter().map(|sum| simd.sum(sum)).sum()
        }
    }
    const BLOCK: usize = 256 << 10;
    let Compute { pool, isa, .. } = compute;
    let mut scratch = vec![0.0; pool.threads()];
    pool.for_each(values.len().div_ceil(BLOCK), &mut scratch, |sum, block| {
        *sum += isa.run(Sum(&values[block * BLOCK..values.len().min((block + 1) * BLOCK)]));
    });
    black_box(scratch);
}

/// Floating-point operations of one thread in [`arithmetic`], with vectors of any width.
const ARITHMETIC: usize = 1 << 30;

/// Multiply-adds in registers, on all threads.
fn arithmetic(compute: &mut Compute) {
    struct Fma;
    impl Op for Fma {
        type Out = f32;

        #[inline(always)]
        fn run<S: Simd<N>, const N: usize>(self, simd: S) -> f32 {
            let (a, b) = (simd.splat(black_box(0.5)), simd.splat(black_box(1e-3)));
            let mut sums = [simd.zero(); 12];
            for _ in 0..ARITHMETIC / (2 * 12 * N) {
                for sum in &mut sums {
                    *sum = simd.mul_add(*sum, a, b);
                }
            }
            sums.into_iter().map(|sum| simd.sum(sum)).sum()
        }
    }
    let Compute { pool, isa, .. } = compute;
    let mut scratch = vec![0.0; pool.threads()];
    pool.for_each(scratch.len(), &mut scratch, |sum, _| *sum += isa.run(Fma));
    black_box(scratch);
}
