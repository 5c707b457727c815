//! Attention over pages of keys and values, for rows of several sequences at once.
//!
//! Each tile of the work is some rows of one sequence and the query heads that share a key and value head. It goes
//! through the sequence's pages once, with a softmax that is corrected as larger scores turn up (Milakov and Gimelshein,
//! "Online normalizer calculation for softmax", 2018), so the memory it needs does not grow with the sequence.
#![expect(clippy::inline_always, reason = "see simd.rs")]

use std::ops::Range;

use trillm_pool::{Grid, Pool, Tile};

use crate::cells::{Cells, Heads, Numbers, PAGE};
use crate::matrix::{F16, F32, Format};
use crate::product::{Rows, add_product};
use crate::sequence::Sequence;
use crate::simd::{Isa, Op, Simd};

/// Rows of a tile: enough for each page that is read to be used well, few enough to balance.
const ROWS: usize = 16;

/// How scores become weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rule {
    /// What scores are multiplied by.
    pub scale: f32,
    /// Scores become c · tanh(score / c).
    pub cap: Option<f32>,
    /// Only the last so many positions are seen, the own one included; and as many after it, where those are seen.
    pub window: Option<usize>,
    /// Positions after the own one are not seen.
    pub causal: bool,
}

impl Rule {
    /// The positions that the row of `sequence` at `position` sees.
    #[inline(always)]
    fn visible(&self, sequence: &Sequence<'_>, position: usize) -> Range<usize> {
        let end = if self.causal {
            position + 1
        } else {
            let all = sequence.start + sequence.rows;
            self.window.map_or(all, |window| all.min(position + window))
        };
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        first..end
    }
}

/// How a step's rows are cut into tiles, and memory to work in. Kept from step to step, so that nothing is allocated
/// once warm.
pub struct Attention {
    heads: Heads,
    row_cuts: Vec<usize>,
    column_cuts: Vec<usize>,
    /// For each range of rows its sequence and its first row's place in it.
    owners: Vec<(usize, usize)>,
    scratch: Vec<Scratch>,
}

/// What one thread works in.
#[derive(Clone, Default)]
struct Scratch {
    queries: Vec<f32>,
    scores: Vec<f32>,
    sums: Vec<f32>,
    largest: Vec<f32>,
    totals: Vec<f32>,
}

impl Attention {
    /// For heads of this shape, on a pool of `threads`.
    pub fn new(heads: Heads, threads: usize) -> Self {
        Self {
            heads,
            row_cuts: Vec::new(),
            column_cuts: Vec::new(),
            owners: Vec::new(),
            scratch: vec![Scratch::default(); threads],
        }
    }

    /// Cuts the rows of `sequences`, which follow each other in the batch, into tiles.
    pub fn plan(&mut self, sequences: &[Sequence<'_>]) {
        self.row_cuts.clear();
        self.owners.clear();
        self.row_cuts.push(0);
        let mut end = 0;
        for (index, sequence) in sequences.iter().enumerate() {
            for first in (0..sequence.rows).step_by(ROWS) {
                self.owners.push((index, first));
                self.row_cuts.push(end + (first + ROWS).min(sequence.rows));
            }
            end += sequence.rows;
        }
        // Heads that share keys read them once; but with few rows there would not be work for every thread.
        let tiles = self.owners.len() * self.heads.kv;
        let together = if tiles >= 4 * self.scratch.len() { self.heads.group() } else { 1 };
        self.column_cuts.clear();
        self.column_cuts.extend((0..=self.heads.query / together).map(|cut| cut * together * self.heads.size));
    }

    /// Attends from every row of `queries` to its sequence's `cells`; `plan` was told the same sequences.
    ///
    /// `queries` has a row of all query heads every `stride` numbers; `out` has them back to back.
    pub fn run(
        &mut self,
        (pool, isa): (&mut Pool, Isa),
        (cells, rule): (&Cells, &Rule),
        sequences: &[Sequence<'_>],
        (queries, stride): (&[f32], usize),
        out: &mut [f32],
    ) {
        let heads = self.heads;
        let grid = Grid { row_cuts: &self.row_cuts, column_cuts: &self.column_cuts };
        let owners = &self.owners;
        pool.for_tiles(out, grid, &mut self.scratch, |scratch, tile| {
            let (owner, first) = owners[tile.row_index()];
            let sequence = &sequences[owner];
            let start = sequence.start + first;
            match (&cells.keys, &cells.values) {
                (Numbers::F32(keys), Numbers::F32(values)) => {
                    isa.run(Task::<F32> { heads, keys, values, rule, sequence, start, queries, stride, scratch, tile });
                }
                (Numbers::F16(keys), Numbers::F16(values)) => {
                    isa.run(Task::<F16> { heads, keys, values, rule, sequence, start, queries, stride, scratch, tile });
                }
                _ => unreachable!("keys and values are of one type"),
            }
        });
    }
}

/// One tile.
struct Task<'a, F: Format> {
    heads: Heads,
    keys: &'a [F::Bits],
    values: &'a [F::Bits],
    rule: &'a Rule,
    sequence: &'a Sequence<'a>,
    /// Position of the tile's first row.
    start: usize,
    queries: &'a [f32],
    stride: usize,
    scratch: &'a mut Scratch,
    tile: Tile<'a>,
}

impl<F: Format> Op for Task<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(mut self, simd: S) {
        let Heads { kv, size, .. } = self.heads;
        let padded = self.heads.padded();
        let count = self.tile.columns().len() / size;
        let head = self.tile.columns().start / size / self.heads.group();
        let vectors = self.tile.rows().len() * count;
        self.begin(vectors);

        let last = self.start + self.tile.rows().len() - 1;
        let seen = self.rule.visible(self.sequence, self.start).start..self.rule.visible(self.sequence, last).end;
        for index in seen.start / PAGE..seen.end.div_ceil(PAGE) {
            let place = self.sequence.pages[index] as usize * kv + head;
            let filled = (seen.end - index * PAGE).min(PAGE);
            let scratch = &mut *self.scratch;
            scratch.scores.fill(0.0);
            add_product::<S, N, F>(
                simd,
                Rows { numbers: &scratch.queries, stride: size },
                Rows { numbers: &self.keys[place * size * PAGE..][..size * PAGE], stride: PAGE },
                [vectors, size, filled.next_multiple_of(N)],
                &mut scratch.scores,
                PAGE,
            );
            self.weigh(simd, index * PAGE, count);
            let scratch = &mut *self.scratch;
            add_product::<S, N, F>(
                simd,
                Rows { numbers: &scratch.scores, stride: PAGE },
                Rows { numbers: &self.values[place * PAGE * padded..][..PAGE * padded], stride: padded },
                [vectors, filled, padded],
                &mut scratch.sums,
                padded,
            );
        }
        self.finish(count);
    }
}

impl<F: Format> Task<'_, F> {
    /// Gathers the queries, scaled, and clears what is added up.
    #[inline(always)]
    fn begin(&mut self, vectors: usize) {
        let size = self.heads.size;
        let Scratch { queries, scores, sums, largest, totals } = &mut *self.scratch;
        queries.clear();
        for row in self.tile.rows() {
            let heads = &self.queries[row * self.stride..][self.tile.columns()];
            queries.extend(heads.iter().map(|number| number * self.rule.scale));
        }
        debug_assert_eq!(queries.len(), vectors * size);
        scores.resize(vectors * PAGE, 0.0);
        sums.clear();
        sums.resize(vectors * self.heads.padded(), 0.0);
        largest.clear();
        largest.resize(vectors, f32::NEG_INFINITY);
        totals.clear();
        totals.resize(vectors, 0.0);
    }

    /// Turns the scores of one page, whose first position is `base`, into weights.
    #[inline(always)]
    fn weigh<S: Simd<N>, const N: usize>(&mut self, simd: S, base: usize, count: usize) {
        let padded = self.heads.padded();
        let Scratch { scores, sums, largest, totals, .. } = &mut *self.scratch;
        for (vector, scores) in scores.chunks_exact_mut(PAGE).enumerate() {
            let seen = self.rule.visible(self.sequence, self.start + vector / count);
            let first = seen.start.saturating_sub(base).min(PAGE);
            let end = seen.end.saturating_sub(base).min(PAGE);
            if let Some(cap) = self.rule.cap {
                cap_scores(simd, scores, cap);
            }
            scores[..first].fill(f32::NEG_INFINITY);
            scores[end.max(first)..].fill(f32::NEG_INFINITY);
            let (lanes, _) = scores.as_chunks_mut::<N>();
            let mut most = simd.splat(largest[vector]);
            for lane in &*lanes {
                most = simd.max(most, simd.load(lane));
            }
            let most = simd.largest(most);
            if most == f32::NEG_INFINITY {
                scores.fill(0.0);
                continue;
            }
            let shift = simd.splat(most);
            let mut total = simd.zero();
            for lane in lanes {
                let weight = simd.exp(simd.sub(simd.load(lane), shift));
                total = simd.add(total, weight);
                simd.store(weight, lane);
            }
            if most > largest[vector] {
                // What was added up so far was measured against a smaller score.
                let factor = (largest[vector] - most).exp();
                totals[vector] *= factor;
                let factor = simd.splat(factor);
                let (lanes, _) = sums[vector * padded..][..padded].as_chunks_mut::<N>();
                for lane in lanes {
                    let scaled = simd.mul(simd.load(lane), factor);
                    simd.store(scaled, lane);
                }
                largest[vector] = most;
            }
            totals[vector] += simd.sum(total);
        }
    }

    /// Divides by the sum of the weights and hands the rows over.
    #[inline(always)]
    fn finish(&mut self, count: usize) {
        let size = self.heads.size;
        let rows = self.tile.rows();
        let mut sums = self.scratch.sums.chunks_exact(self.heads.padded()).zip(&self.scratch.totals);
        for row in rows {
            for (out, (sums, total)) in self.tile.row_mut(row).chunks_exact_mut(size).zip(sums.by_ref().take(count)) {
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = sum / total;
                }
            }
        }
    }
}

#[inline(always)]
fn cap_scores<S: Simd<N>, const N: usize>(simd: S, scores: &mut [f32], cap: f32) {
    let (cap, inverse) = (simd.splat(cap), simd.splat(cap.recip()));
    let (lanes, _) = scores.as_chunks_mut::<N>();
    for lane in lanes {
        let capped = simd.mul(cap, simd.tanh(simd.mul(simd.load(lane), inverse)));
        simd.store(capped, lane);
    }
}
