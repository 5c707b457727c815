//! Products with many rows: a block of weights is widened once and used for all rows.
//!
//! The block is laid out by input and then by output, [`VECTORS`] vectors of outputs side by side. The inner loop takes
//! one input at a time: that of a row, in all lanes, times the weights of the outputs. Nothing is added up across lanes.
//!
//! As in Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): the block of weights stays
//! in the second cache, the rows at hand in the first, and the sums in registers.
#![expect(clippy::inline_always, reason = "see simd.rs")]
#![expect(clippy::needless_range_loop, reason = "arrays of accumulators that are indexed together")]

use trillm_pool::Tile;

use crate::inputs::Inputs;
use crate::matrix::Format;
use crate::simd::{Op, Simd};

/// From so many rows on, widening pays: with fewer, what it costs is more than what the inner loop gains (0.8 of the
/// peak rather than 0.7).
pub(crate) const FEWEST_ROWS: usize = 48;

/// Vectors of outputs side by side. With [`ROWS`], twelve sums: enough to hide what an addition waits, and with the
/// weights and one input they fit sixteen registers.
pub(crate) const VECTORS: usize = 2;

/// Rows at a time.
const ROWS: usize = 6;

/// Inputs at a time: `ROWS` × this × 4 bytes is a third of the first cache (32 KiB).
const INPUTS: usize = 512;

/// Widened weights at a time: 192 KiB of a second cache of 512 KiB.
const ROOM: usize = 48 << 10;

/// Widened weights. A thread keeps it, so that it is allocated once.
#[derive(Default)]
pub(crate) struct Panel {
    values: Vec<f32>,
}

/// Outputs of one block for all rows.
pub(crate) struct Block<'a, F: Format> {
    pub(crate) x: Inputs<'a>,
    /// Of the tile's columns.
    pub(crate) weights: &'a [F::Bits],
    pub(crate) tile: Tile<'a>,
    pub(crate) panel: &'a mut Panel,
}

/// The part of a block that is widened at one time.
#[derive(Clone, Copy)]
struct Part {
    /// First input, and how many.
    from: usize,
    inputs: usize,
    /// First output of the block, and how many.
    column: usize,
    columns: usize,
}

impl<F: Format> Op for Block<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(mut self, simd: S) {
        let (k, columns) = (self.x.width, self.tile.columns().len());
        // Equal steps, so that the last is not a small rest.
        let step = k.div_ceil(k.div_ceil(INPUTS));
        let wide = (ROOM / step / (VECTORS * N)).max(1) * VECTORS * N;
        let mut column = 0;
        while column < columns {
            let mut from = 0;
            while from < k {
                let part = Part { from, inputs: step.min(k - from), column, columns: wide.min(columns - column) };
                self.widen(simd, part);
                let rows = self.tile.rows();
                let mut row = rows.start;
                while row < rows.end {
                    match rows.end - row {
                        1 => self.rows::<S, N, 1>(simd, part, row),
                        2 => self.rows::<S, N, 2>(simd, part, row),
                        3 => self.rows::<S, N, 3>(simd, part, row),
                        4 => self.rows::<S, N, 4>(simd, part, row),
                        5 => self.rows::<S, N, 5>(simd, part, row),
                        _ => self.rows::<S, N, ROWS>(simd, part, row),
                    }
                    row += ROWS;
                }
                from += step;
            }
            column += wide;
        }
    }
}

impl<F: Format> Block<'_, F> {
    /// Widens the weights of `part` into the panel: groups of outputs; in a group, by input and then by output.
    #[inline(always)]
    fn widen<S: Simd<N>, const N: usize>(&mut self, simd: S, part: Part) {
        let k = self.x.width;
        let group = VECTORS * N;
        self.panel.values.resize(part.columns.div_ceil(group) * group * part.inputs, 0.0);
        for (index, to) in self.panel.values.chunks_exact_mut(group * part.inputs).enumerate() {
            let lanes = to.as_chunks_mut::<N>().0;
            for half in 0..VECTORS {
                let mut from: [&[F::Bits]; N] = [&[]; N];
                for lane in 0..N {
                    // Outputs that there are not are as the last: what they give is not written.
                    let column = (index * group + half * N + lane).min(part.columns - 1);
                    let start = (part.column + column) * k + part.from;
                    from[lane] = &self.weights[start..start + part.inputs];
                }
                let steps = part.inputs / N;
                let mut whole: [&[[F::Bits; N]]; N] = [&[]; N];
                for lane in 0..N {
                    whole[lane] = &from[lane].as_chunks().0[..steps];
                }
                let mut values = [simd.zero(); N];
                for step in 0..steps {
                    for lane in 0..N {
                        // The outputs after these, which are read next.
                        simd.prefetch(from[lane], step * N + N * k);
                        values[lane] = F::load(simd, &whole[lane][step]);
                    }
                    let to = &mut lanes[step * N * VECTORS..][..N * VECTORS];
                    let values = simd.transpose(values);
                    for i in 0..N {
                        simd.store(values[i], &mut to[i * VECTORS + half]);
                    }
                }
                if steps * N < part.inputs {
                    for lane in 0..N {
                        values[lane] = F::load_part(simd, &from[lane][steps * N..]);
                    }
                    let values = simd.transpose(values);
                    for (i, to) in lanes[steps * N * VECTORS..].chunks_exact_mut(VECTORS).enumerate() {
                        simd.store(values[i], &mut to[half]);
                    }
                }
            }
        }
    }

    /// `R` rows by all outputs of `part`.
    #[inline(always)]
    fn rows<S: Simd<N>, const N: usize, const R: usize>(&mut self, simd: S, part: Part, row: usize) {
        let group = VECTORS * N;
        let mut x: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            x[r] = self.x.part(row + r, part.from, part.from + part.inputs);
        }
        for (index, weights) in self.panel.values.chunks_exact(group * part.inputs).enumerate() {
            let weights = &weights.as_chunks::<N>().0.as_chunks::<VECTORS>().0[..part.inputs];
            let mut sums = [[simd.zero(); VECTORS]; R];
            for i in 0..part.inputs {
                let mut w = [simd.zero(); VECTORS];
                for v in 0..VECTORS {
                    w[v] = simd.load(&weights[i][v]);
                }
                for r in 0..R {
                    let x = simd.splat(x[r][i]);
                    for v in 0..VECTORS {
                        sums[r][v] = simd.mul_add(w[v], x, sums[r][v]);
                    }
                }
            }
            let first = index * group;
            for r in 0..R {
                let out = &mut self.tile.row_mut(row + r)[part.column + first..part.column + part.columns];
                for v in 0..VECTORS {
                    put(simd, sums[r][v], out, v * N, part.from > 0);
                }
            }
        }
    }
}

/// Writes or adds a vector at `at`, as far as there is room.
#[inline(always)]
fn put<S: Simd<N>, const N: usize>(simd: S, value: S::V, out: &mut [f32], at: usize, adds: bool) {
    let Some(out) = out.get_mut(at..) else { return };
    if let Some(out) = out.first_chunk_mut() {
        let value = if adds { simd.add(simd.load(out), value) } else { value };
        simd.store(value, out);
    } else {
        let mut lanes = [0.0; N];
        simd.store(value, &mut lanes);
        for (out, lane) in out.iter_mut().zip(lanes) {
            *out = if adds { *out + lane } else { lane };
        }
    }
}
