//! Attention over pages, against the formula computed plainly in double precision.

use proptest::prelude::*;
use trillm_kernels::simd::Isa;
use trillm_kernels::{Attention, Cells, Heads, PAGE, Rule, Sequence};
use trillm_pool::Pool;

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 4.0
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A sequence that holds `start` positions and gets `rows` more.
struct Case {
    start: usize,
    rows: usize,
}

/// The formula, for one row at `position` of a sequence whose keys and values are `history`.
fn expected(heads: Heads, rule: &Rule, query: &[f32], history: &[Vec<f32>], position: usize) -> Vec<f64> {
    let Heads { query: queries, kv, size } = heads;
    let after = rule.window.unwrap_or(history.len());
    let end = if rule.causal { position + 1 } else { history.len().min(position + after) };
    let first = rule.window.map_or(0, |window| (position + 1).saturating_sub(window));
    (0..queries)
        .flat_map(|head| {
            let shared = head / (queries / kv);
            let query = &query[head * size..][..size];
            let scores: Vec<f64> = history[first..end]
                .iter()
                .map(|row| {
                    let dot: f64 =
                        query.iter().zip(&row[shared * size..]).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    let score = dot * f64::from(rule.scale);
                    rule.cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                })
                .collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            (0..size)
                .map(move |index| {
                    let value = |row: &Vec<f32>| f64::from(row[(kv + shared) * size + index]);
                    let sum: f64 =
                        history[first..end].iter().zip(&weights).map(|(row, weight)| weight * value(row)).sum();
                    sum / total
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn check(heads: Heads, rule: Rule, half: bool, cases: &[Case], threads: usize, isa: Isa) {
    let mut numbers = Numbers(7);
    let (query, kv) = (heads.query * heads.size, heads.kv * heads.size);
    let stride = query + 2 * kv;
    let pages_of = |case: &Case| (case.start + case.rows).div_ceil(PAGE);
    let total: usize = cases.iter().map(pages_of).sum();
    let mut cells = Cells::new(heads, total, half).expect("memory");
    // Pages in an order that is not that of positions.
    let mut free: Vec<u32> = (0..total as u32).rev().collect();
    let tables: Vec<Vec<u32>> = cases.iter().map(|case| free.split_off(free.len() - pages_of(case))).collect();

    let mut histories = Vec::new();
    let mut queries = Vec::new();
    for (case, pages) in cases.iter().zip(&tables) {
        let rows = numbers.take((case.start + case.rows) * stride);
        let before = Sequence { pages, start: 0, rows: case.start };
        cells.write(&before, &rows, stride, query);
        let now = Sequence { pages, start: case.start, rows: case.rows };
        cells.write(&now, &rows[case.start * stride..], stride, query);
        queries.extend_from_slice(&rows[case.start * stride..]);
        histories.push(rows.chunks_exact(stride).map(|row| row[query..].to_vec()).collect::<Vec<_>>());
    }
    let sequences: Vec<_> =
        cases.iter().zip(&tables).map(|(case, pages)| Sequence { pages, start: case.start, rows: case.rows }).collect();
    let count: usize = cases.iter().map(|case| case.rows).sum();
    let mut out = vec![f32::NAN; count * query];
    let mut pool = Pool::new(threads).expect("threads");
    let mut attention = Attention::new(heads, pool.threads());
    attention.plan(&sequences);
    attention.run((&mut pool, isa), (&cells, &rule), &sequences, (&queries, stride), &mut out);

    let tolerance = if half { 4e-3 } else { 2e-5 };
    let mut row = 0;
    for (case, history) in cases.iter().zip(&histories) {
        for position in case.start..case.start + case.rows {
            let wanted = expected(heads, &rule, &queries[row * stride..], history, position);
            for (found, wanted) in out[row * query..][..query].iter().zip(wanted) {
                let off = (f64::from(*found) - wanted).abs();
                assert!(off <= tolerance, "{} at {position}: {found} for {wanted}", isa.name());
            }
            row += 1;
        }
    }
}

const CAUSAL: Rule = Rule { scale: 0.3, cap: None, window: None, causal: true };

#[test]
fn every_instruction_set_gives_what_the_formula_says() {
    let heads = Heads { query: 6, kv: 2, size: 64 };
    for isa in Isa::available() {
        for half in [false, true] {
            let cases = [Case { start: 130, rows: 1 }, Case { start: 0, rows: 40 }, Case { start: 63, rows: 2 }];
            check(heads, CAUSAL, half, &cases, 3, isa);
        }
    }
}

#[test]
fn windows_caps_and_both_directions() {
    let heads = Heads { query: 4, kv: 4, size: 24 };
    let cases = [Case { start: 200, rows: 3 }, Case { start: 0, rows: 70 }];
    for window in [1, 5, 64, 100] {
        check(heads, Rule { window: Some(window), ..CAUSAL }, false, &cases, 2, Isa::detect());
    }
    check(heads, Rule { cap: Some(2.0), ..CAUSAL }, false, &cases, 2, Isa::detect());
    let whole = [Case { start: 0, rows: 70 }, Case { start: 0, rows: 1 }, Case { start: 0, rows: 64 }];
    check(heads, Rule { causal: false, ..CAUSAL }, false, &whole, 2, Isa::detect());
    for window in [1, 5, 64, 100] {
        check(heads, Rule { causal: false, window: Some(window), ..CAUSAL }, false, &whole, 2, Isa::detect());
    }
}

#[test]
fn scores_of_any_size_stay_numbers() {
    let heads = Heads { query: 2, kv: 1, size: 16 };
    check(heads, Rule { scale: 60.0, ..CAUSAL }, false, &[Case { start: 90, rows: 20 }], 2, Isa::detect());
    check(heads, Rule { scale: 0.0, ..CAUSAL }, false, &[Case { start: 90, rows: 20 }], 2, Isa::detect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_shape(
        kv in 1usize..4, group in 1usize..8, size in 1usize..70, half: bool, threads in 1usize..4,
        lengths in prop::collection::vec((0usize..150, 1usize..40), 1..5),
    ) {
        let heads = Heads { query: kv * group, kv, size };
        let cases: Vec<_> = lengths.into_iter().map(|(start, rows)| Case { start, rows }).collect();
        let rule = Rule { scale: 0.2, ..CAUSAL };
        for isa in Isa::available() {
            check(heads, rule, half, &cases, threads, isa);
        }
    }
}
