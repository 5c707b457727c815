//! A small product of matrices whose right side is read row by row: what attention is made of.
#![expect(clippy::inline_always, reason = "see simd.rs")]

use crate::matrix::Format;
use crate::simd::Simd;

/// A matrix, row after row, each `stride` numbers from the last.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) stride: usize,
}

/// Adds the product of `left` (`rows` × `depth`) and `right` (`depth` × `columns`) to `out`, whose rows are `stride`
/// apart. `columns` is a multiple of the vector's width.
#[inline(always)]
pub(crate) fn add_product<S: Simd<N>, const N: usize, F: Format>(
    simd: S,
    left: Rows<'_, f32>,
    right: Rows<'_, F::Bits>,
    [rows, depth, columns]: [usize; 3],
    out: &mut [f32],
    stride: usize,
) {
    let mut row = 0;
    while row < rows {
        let at = &mut out[row * stride..];
        let left = Rows { numbers: &left.numbers[row * left.stride..], ..left };
        // Few rows get more columns at once, so that enough additions are under way.
        row += match rows - row {
            1 => wide::<S, N, F, 1, 8>(simd, left, right, depth, columns, at, stride),
            2 => wide::<S, N, F, 2, 4>(simd, left, right, depth, columns, at, stride),
            3 => wide::<S, N, F, 3, 4>(simd, left, right, depth, columns, at, stride),
            4 => wide::<S, N, F, 4, 2>(simd, left, right, depth, columns, at, stride),
            5 => wide::<S, N, F, 5, 2>(simd, left, right, depth, columns, at, stride),
            _ => wide::<S, N, F, 6, 2>(simd, left, right, depth, columns, at, stride),
        };
    }
}

/// `R` rows, in blocks of `W` vectors and then of one. Returns `R`.
#[inline(always)]
fn wide<S: Simd<N>, const N: usize, F: Format, const R: usize, const W: usize>(
    simd: S,
    left: Rows<'_, f32>,
    right: Rows<'_, F::Bits>,
    depth: usize,
    columns: usize,
    out: &mut [f32],
    stride: usize,
) -> usize {
    let mut column = 0;
    while column + W * N <= columns {
        block::<S, N, F, R, W>(simd, left, right, depth, column, out, stride);
        column += W * N;
    }
    while column < columns {
        block::<S, N, F, R, 1>(simd, left, right, depth, column, out, stride);
        column += N;
    }
    R
}

#[inline(always)]
fn block<S: Simd<N>, const N: usize, F: Format, const R: usize, const W: usize>(
    simd: S,
    left: Rows<'_, f32>,
    right: Rows<'_, F::Bits>,
    depth: usize,
    column: usize,
    out: &mut [f32],
    stride: usize,
) {
    let mut lefts: [&[f32]; R] = [&[]; R];
    for (index, row) in lefts.iter_mut().enumerate() {
        *row = &left.numbers[index * left.stride..][..depth];
    }
    let mut sums = [[simd.zero(); W]; R];
    for step in 0..depth {
        let (vectors, _) = right.numbers[step * right.stride + column..][..W * N].as_chunks::<N>();
        let mut loaded = [simd.zero(); W];
        for (loaded, vector) in loaded.iter_mut().zip(vectors) {
            *loaded = F::load(simd, vector);
        }
        for (sums, row) in sums.iter_mut().zip(&lefts) {
            let factor = simd.splat(row[step]);
            for (sum, loaded) in sums.iter_mut().zip(&loaded) {
                *sum = simd.mul_add(factor, *loaded, *sum);
            }
        }
    }
    for (index, sums) in sums.iter().enumerate() {
        let (vectors, _) = out[index * stride + column..][..W * N].as_chunks_mut::<N>();
        for (vector, sum) in vectors.iter_mut().zip(sums) {
            let total = simd.add(simd.load(vector), *sum);
            simd.store(total, vector);
        }
    }
}
