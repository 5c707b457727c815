//! Products with few rows: weights pass once, and each serves all rows.
//!
//! A dot product runs along the inputs, so weights are read in the order of the file. Several outputs and rows are
//! computed side by side: each load of a weight serves `R` rows, each load of an activation `C` outputs.
#![expect(clippy::inline_always, reason = "see simd.rs")]
#![expect(clippy::needless_range_loop, reason = "arrays of accumulators that are indexed together")]

use trillm_pool::Tile;

use crate::inputs::Inputs;
use crate::matrix::Format;
use crate::panel;
use crate::simd::{Op, Simd};

/// Outputs in a block are a multiple of this: of those that are computed side by side.
pub(crate) const UNIT: usize = 12;

/// Activations that stay in the second cache while outputs pass: 256 KiB.
const NEAR: usize = 64 << 10;

/// How far ahead weights are asked for: what memory delivers to a thread in some 400 ns. Nearer is too late; the
/// processor's own prefetching stops at each page and is thrown off by several outputs read side by side.
const AHEAD_BYTES: usize = 4 << 10;

/// A line of the cache.
const LINE_BYTES: usize = 64;

/// Outputs of one block for all rows.
pub(crate) struct Block<'a, F: Format> {
    pub(crate) x: Inputs<'a>,
    /// Of the tile's columns.
    pub(crate) weights: &'a [F::Bits],
    pub(crate) tile: Tile<'a>,
}

impl<F: Format> Op for Block<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(mut self, simd: S) {
        let (rows, k) = (self.tile.rows(), self.x.width);
        // In equal steps, of whole vectors but for the last.
        let step = k.div_ceil((rows.len() * k).div_ceil(NEAR)).next_multiple_of(N);
        let mut rest = [[0.0; N]; panel::FEWEST_ROWS];
        for (row, rest) in rows.clone().zip(&mut rest) {
            let from = if k < N { 0 } else { N - k % N };
            for (to, x) in rest[from..].iter_mut().zip(self.x.part(row, k - k % N, k)) {
                *to = *x;
            }
        }
        let columns = self.tile.columns().len();
        let wide = if rows.len() < 3 { 4 } else { 3 };
        let passes = rows.len().div_ceil(4);
        let mut from = 0;
        while from < k {
            let to = k.min(from + step);
            let mut column = 0;
            while column < columns {
                let together = if columns - column >= wide { wide } else { 1 };
                let mut row = rows.start;
                while row < rows.end {
                    let pass = (row - rows.start) / 4;
                    let here = Part { row, column, from, to, pass: [pass, passes], rest: &rest[row - rows.start..] };
                    match (rows.end - row, together) {
                        (1, 4) => self.dots::<S, N, 1, 4>(simd, &here),
                        (1, 3) => self.dots::<S, N, 1, 3>(simd, &here),
                        (1, _) => self.dots::<S, N, 1, 1>(simd, &here),
                        (2, 4) => self.dots::<S, N, 2, 4>(simd, &here),
                        (2, 3) => self.dots::<S, N, 2, 3>(simd, &here),
                        (2, _) => self.dots::<S, N, 2, 1>(simd, &here),
                        (3, 3) => self.dots::<S, N, 3, 3>(simd, &here),
                        (3, _) => self.dots::<S, N, 3, 1>(simd, &here),
                        (_, 3) => self.dots::<S, N, 4, 3>(simd, &here),
                        _ => self.dots::<S, N, 4, 1>(simd, &here),
                    }
                    row += 4;
                }
                column += together;
            }
            from = to;
        }
    }
}

/// Where in a block: the first row and output, and the inputs.
struct Part<'a, const N: usize> {
    row: usize,
    column: usize,
    from: usize,
    to: usize,
    /// Which time these weights pass, and how often they do.
    pass: [usize; 2],
    /// The last inputs of each row from `row` on if they fill no vector, after as many zeros as are lacking.
    rest: &'a [[f32; N]],
}

impl<F: Format> Block<'_, F> {
    /// Inputs of `part` for `R` rows and `C` outputs. Writes at the first inputs, adds at later ones.
    #[inline(always)]
    fn dots<S: Simd<N>, const N: usize, const R: usize, const C: usize>(&mut self, simd: S, part: &Part<'_, N>) {
        let Part { row, column, from, to, pass: [pass, passes], rest } = *part;
        let k = self.x.width;
        let steps = (to - from) / N;
        let mut w: [&[[F::Bits; N]]; C] = [&[]; C];
        for c in 0..C {
            let start = (column + c) * k;
            w[c] = &self.weights[start + from..start + to].as_chunks().0[..steps];
        }
        let mut x: [&[[f32; N]]; R] = [&[]; R];
        for r in 0..R {
            x[r] = &self.x.part(row + r, from, to).as_chunks().0[..steps];
        }
        let line = LINE_BYTES / size_of::<F::Bits>();
        // All passes together ask for as much as they read, in the order of memory.
        let share = (C * N).div_ceil(passes);
        let ahead = column * k + AHEAD_BYTES / size_of::<F::Bits>() + pass * steps * share;
        let mut sums = [[simd.zero(); C]; R];
        for i in 0..steps {
            for p in (0..share).step_by(line) {
                // With several passes the first cache is full of inputs.
                if passes == 1 {
                    simd.prefetch(self.weights, ahead + i * share + p);
                } else {
                    simd.prefetch_second(self.weights, ahead + i * share + p);
                }
            }
            let mut weights = [simd.zero(); C];
            for c in 0..C {
                weights[c] = F::load(simd, &w[c][i]);
            }
            for r in 0..R {
                let x = simd.load(&x[r][i]);
                for c in 0..C {
                    sums[r][c] = simd.mul_add(weights[c], x, sums[r][c]);
                }
            }
        }
        if steps * N < to - from {
            for c in 0..C {
                let weights = &self.weights[(column + c) * k..(column + c + 1) * k];
                // Weights that were used already meet zeros.
                let weights = match weights.last_chunk() {
                    Some(last) => F::load(simd, last),
                    None => F::load_part(simd, weights),
                };
                for r in 0..R {
                    sums[r][c] = simd.mul_add(weights, simd.load(&rest[r]), sums[r][c]);
                }
            }
        }
        let mut flat = [[0.0; C]; R];
        let (fours, ones) = sums.as_flattened().as_chunks::<4>();
        let (flat_fours, flat_ones) = flat.as_flattened_mut().as_chunks_mut::<4>();
        for (out, sums) in flat_fours.iter_mut().zip(fours) {
            *out = simd.sum4(*sums);
        }
        for (out, sum) in flat_ones.iter_mut().zip(ones) {
            *out = simd.sum(*sum);
        }
        for r in 0..R {
            let out = &mut self.tile.row_mut(row + r)[column..column + C];
            for c in 0..C {
                out[c] = if from == 0 { flat[r][c] } else { out[c] + flat[r][c] };
            }
        }
    }
}
