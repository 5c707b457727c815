//! A row of scores seen as weights, in blocks.
//!
//! Two passes over the vocabulary, both vectorised, answer nearly everything: the largest score of each block, and the
//! sum of weights of each block. A draw walks the block sums and then one block, so no list of 150,000 probabilities
//! is ever written, let alone sorted.

use crate::exp::exp;

/// Scores in a block: small enough that walking one is nothing, large enough that the list of blocks is short.
pub(crate) const BLOCK: usize = 128;

/// Accumulators side by side. It fixes the order of additions, so it must not follow the machine's vector width.
const LANES: usize = 16;

/// A place in the order of probability: higher scores first, lower ids first among equals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) score: f32,
    pub(crate) token: u32,
}

impl Place {
    /// The lowest score that comes before this place, for tokens with lower and for those with higher ids.
    fn floors(self) -> (f32, f32) {
        (self.score, self.score.next_up())
    }
}

/// Scores without NaN whose largest is finite.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) scores: &'a [f32],
    /// The largest score of each block.
    pub(crate) maxima: &'a [f32],
    /// The largest of all.
    pub(crate) max: f32,
    /// One over the temperature.
    pub(crate) scale: f32,
}

/// Writes the largest score of each block to `maxima` and returns the largest of all: NaN if any score is.
pub(crate) fn measure(scores: &[f32], maxima: &mut Vec<f32>) -> f32 {
    maxima.clear();
    maxima.extend(scores.chunks(BLOCK).map(largest));
    largest(maxima)
}

/// The largest number; NaN if any is, minus infinity if there is none.
fn largest(numbers: &[f32]) -> f32 {
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let mut best = [f32::NEG_INFINITY; LANES];
    let mut nan = [0_u32; LANES];
    let mut take = |lane: usize, x: f32| {
        best[lane] = if x > best[lane] { x } else { best[lane] };
        nan[lane] |= u32::from(x.is_nan());
    };
    for chunk in chunks {
        for (lane, &x) in chunk.iter().enumerate() {
            take(lane, x);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        take(lane, x);
    }
    if nan.iter().any(|&n| n != 0) {
        return f32::NAN;
    }
    best.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

impl Row<'_> {
    /// The weight of a score: its probability, times the same factor for all. The largest score weighs one.
    #[inline]
    pub(crate) fn weight(&self, score: f32) -> f32 {
        exp((score - self.max) * self.scale)
    }

    /// The most probable token; the lowest id among equals.
    pub(crate) fn argmax(&self) -> u32 {
        let block = self.maxima.iter().position(|&m| m >= self.max).unwrap_or_default();
        let start = block * BLOCK;
        let within = self.scores[start..].iter().position(|&x| x >= self.max).unwrap_or_default();
        (start + within) as u32
    }

    /// Where a token stands in the order of probability.
    pub(crate) fn place(&self, token: u32) -> Place {
        Place { score: self.scores[token as usize], token }
    }

    /// Writes to `sums` the weight of each block and returns that of all; with `before`, only tokens before it count.
    pub(crate) fn weigh(&self, before: Option<Place>, sums: &mut Vec<f32>) -> f64 {
        sums.clear();
        sums.extend(self.scores.chunks(BLOCK).zip(self.maxima).enumerate().map(|(index, (block, &max))| {
            let (head, tail, (low, high)) = split(block, index, before);
            if max < low { 0.0 } else { self.sum(head, low) + self.sum(tail, high) }
        }));
        sums.iter().map(|&sum| f64::from(sum)).sum()
    }

    /// The weights of scores that are at least `floor`, added up.
    fn sum(&self, scores: &[f32], floor: f32) -> f32 {
        let (chunks, rest) = scores.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        let mut add = |lane: usize, x: f32| {
            let weight = self.weight(x);
            sums[lane] += if x >= floor { weight } else { 0.0 };
        };
        for chunk in chunks {
            for (lane, &x) in chunk.iter().enumerate() {
                add(lane, x);
            }
        }
        for (lane, &x) in rest.iter().enumerate() {
            add(lane, x);
        }
        sums.iter().sum()
    }

    /// The token at which the weights, added up in order of ids, pass `target`; `sums` and `before` are those of
    /// [`weigh`](Self::weigh).
    pub(crate) fn pick(&self, mut target: f64, before: Option<Place>, sums: &[f32]) -> u32 {
        // Sums of sums round differently from sums of weights: past the end, it is the last token that has any weight.
        let mut chosen = 0;
        let mut found = false;
        for (index, &sum) in sums.iter().enumerate().filter(|&(_, &sum)| sum > 0.0) {
            chosen = index;
            found = target < f64::from(sum);
            if found {
                break;
            }
            target -= f64::from(sum);
        }
        if !found {
            target = f64::INFINITY;
        }
        let start = chosen * BLOCK;
        let block = &self.scores[start..self.scores.len().min(start + BLOCK)];
        let (head, _, (low, high)) = split(block, chosen, before);
        let mut last = 0;
        for (within, &score) in block.iter().enumerate() {
            let weight = f64::from(self.weight(score));
            if weight > 0.0 && score >= if within < head.len() { low } else { high } {
                last = within;
                if target < weight {
                    break;
                }
                target -= weight;
            }
        }
        (start + last) as u32
    }
}

/// Cuts a block into ids below and from `before`, with the floors for each.
fn split(block: &[f32], index: usize, before: Option<Place>) -> (&[f32], &[f32], (f32, f32)) {
    let Some(place) = before else {
        return (block, &[], (f32::NEG_INFINITY, f32::NEG_INFINITY));
    };
    let at = (place.token as usize).saturating_sub(index * BLOCK).min(block.len());
    let (head, tail) = block.split_at(at);
    (head, tail, place.floors())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(scores: &'a [f32], maxima: &'a mut Vec<f32>) -> Row<'a> {
        let max = measure(scores, maxima);
        Row { scores, maxima, max, scale: 1.0 }
    }

    #[test]
    fn largest_sees_every_place() {
        for len in [1, 2, 15, 16, 17, 127, 128, 129, 1000] {
            for at in 0..len {
                let mut scores = vec![-1.0; len];
                scores[at] = 2.0;
                let mut maxima = Vec::new();
                assert_eq!(row(&scores, &mut maxima).argmax() as usize, at);
                scores[at] = f32::NAN;
                assert!(measure(&scores, &mut maxima).is_nan(), "NaN at {at} of {len}");
            }
        }
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let scores = vec![1.0; 300];
        let mut maxima = Vec::new();
        let row = row(&scores, &mut maxima);
        assert_eq!(row.argmax(), 0);
        let mut sums = Vec::new();
        for token in 0..300 {
            assert_eq!(row.weigh(Some(row.place(token)), &mut sums).to_bits(), f64::from(token).to_bits());
        }
    }

    #[test]
    fn pick_finds_the_token_a_target_falls_on() {
        let scores: Vec<f32> = (0..300_u16).map(|i| if i % 2 == 0 { 0.0 } else { f32::NEG_INFINITY }).collect();
        let mut maxima = Vec::new();
        let row = row(&scores, &mut maxima);
        let mut sums = Vec::new();
        assert_eq!(row.weigh(None, &mut sums).to_bits(), 150.0_f64.to_bits());
        for token in 0..150_u32 {
            assert_eq!(row.pick(f64::from(token) + 0.5, None, &sums), token * 2);
        }
        // A target past the end, as rounding may make it, is the last token that has weight.
        assert_eq!(row.pick(150.0, None, &sums), 298);
        let before = Some(row.place(100));
        row.weigh(before, &mut sums);
        assert_eq!(row.pick(150.0, before, &sums), 98);
    }
}
