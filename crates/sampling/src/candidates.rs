//! A list of tokens that may be chosen, for the stages that need one: top-k and typical.
//!
//! The list is always in order of ids, so a draw from it does not depend on how the standard library happens to leave
//! the elements of a partial sort.

use std::cmp::Ordering;

use trillm_core::memory;

use crate::row::{BLOCK, Row};

/// A token that may be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) token: u32,
    pub(crate) score: f32,
    /// What the stage at work sorts by, smallest first.
    key: f32,
    weight: f32,
}

/// The candidates, and room to select among them without losing their order.
#[derive(Default)]
pub(crate) struct Candidates {
    list: Vec<Candidate>,
    scratch: Vec<Candidate>,
}

/// Most probable first, lower ids first among equals.
fn by_score(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.token.cmp(&b.token))
}

/// Smallest key first, the more probable first among equals.
fn by_key(a: &Candidate, b: &Candidate) -> Ordering {
    a.key.total_cmp(&b.key).then_with(|| by_score(a, b))
}

impl Candidates {
    /// Makes room for `n` candidates, so that nothing allocates later.
    pub(crate) fn reserve(&mut self, n: usize, what: &str) -> trillm_core::Result<()> {
        memory::reserve(&mut self.list, n, what)?;
        memory::reserve(&mut self.scratch, n, what)
    }

    /// Takes the `k` most probable tokens of a row.
    ///
    /// The `k`-th largest of the blocks' maxima is at most the `k`-th largest score, so blocks below it are not looked
    /// at. The list holds at most `2k`: when it is full, it is cut to the best `k` and the bar is raised.
    pub(crate) fn take_most_probable(&mut self, row: &Row, k: usize) {
        self.list.clear();
        if k == 0 {
            return;
        }
        let room = k.saturating_mul(2);
        let mut bar = self.bar(row.maxima, k);
        for (index, block) in row.scores.chunks(BLOCK).enumerate() {
            if row.maxima[index] < bar {
                continue;
            }
            for (within, &score) in block.iter().enumerate() {
                if score >= bar {
                    let token = (index * BLOCK + within) as u32;
                    self.list.push(Candidate { token, score, key: 0.0, weight: 0.0 });
                    if self.list.len() == room {
                        bar = self.cut(k);
                    }
                }
            }
        }
        if self.list.len() > k {
            self.cut(k);
        }
        self.weigh(row);
        self.list.sort_unstable_by_key(|candidate| candidate.token);
    }

    /// Takes every token of a row that is not forbidden.
    pub(crate) fn take_all(&mut self, row: &Row) {
        self.list.clear();
        let allowed = row.scores.iter().enumerate().filter(|&(_, &score)| score > f32::NEG_INFINITY);
        self.list.extend(allowed.map(|(token, &score)| Candidate {
            token: token as u32,
            score,
            key: 0.0,
            weight: row.weight(score),
        }));
    }

    fn weigh(&mut self, row: &Row) {
        self.list.retain(|candidate| candidate.score > f32::NEG_INFINITY);
        for candidate in &mut self.list {
            candidate.weight = row.weight(candidate.score);
        }
    }

    /// The `k`-th largest of the maxima, or minus infinity if there are fewer.
    fn bar(&mut self, maxima: &[f32], k: usize) -> f32 {
        if maxima.len() < k {
            return f32::NEG_INFINITY;
        }
        self.scratch.clear();
        self.scratch.extend(maxima.iter().map(|&score| Candidate { token: 0, score, key: 0.0, weight: 0.0 }));
        self.scratch.select_nth_unstable_by(k - 1, by_score).1.score
    }

    /// Keeps the `k` most probable and returns the lowest score among them.
    fn cut(&mut self, k: usize) -> f32 {
        let bar = self.list.select_nth_unstable_by(k - 1, by_score).1.score;
        self.list.truncate(k);
        bar
    }

    /// Locally typical sampling: keeps the tokens whose surprise is nearest to the expected one (the entropy), until
    /// they add up to `mass`. Meister et al. 2022, equation 5.
    pub(crate) fn keep_typical(&mut self, row: &Row, mass: f32) {
        let total = self.total();
        let log_total = total.ln();
        let surprise = |candidate: &Candidate| log_total - f64::from(candidate.score - row.max) * f64::from(row.scale);
        let entropy = self.list.iter().filter(|c| c.weight > 0.0).map(|c| f64::from(c.weight) / total * surprise(c));
        let entropy: f64 = entropy.sum();
        for candidate in &mut self.list {
            candidate.key = (surprise(candidate) - entropy).abs() as f32;
        }
        self.keep_mass(f64::from(mass) * total);
    }

    /// Nucleus sampling: keeps the most probable tokens until they add up to `mass`. Holtzman et al. 2020.
    pub(crate) fn keep_top(&mut self, mass: f32) {
        let target = f64::from(mass) * self.total();
        for candidate in &mut self.list {
            candidate.key = -candidate.score;
        }
        self.keep_mass(target);
    }

    /// Drops tokens whose probability is below `share` of the most probable.
    pub(crate) fn keep_likely(&mut self, share: f32) {
        let most = self.list.iter().map(|candidate| candidate.weight).fold(0.0, f32::max);
        self.list.retain(|candidate| candidate.weight >= share * most);
    }

    /// Keeps the fewest candidates with the smallest keys that add up to `target`; at least one.
    ///
    /// The last one to keep is found by halving: select the median, add up the half before it, go on in the half that
    /// holds the target. That looks at twice the list all in all, where sorting would look at it seventeen times.
    fn keep_mass(&mut self, mut target: f64) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.list);
        let mut rest = self.scratch.as_mut_slice();
        while rest.len() > 1 {
            let middle = rest.len() / 2;
            rest.select_nth_unstable_by(middle, by_key);
            let (before, after) = rest.split_at_mut(middle);
            let mass: f64 = before.iter().map(|candidate| f64::from(candidate.weight)).sum();
            if mass >= target {
                rest = before;
            } else {
                target -= mass;
                rest = after;
            }
        }
        if let Some(&last) = rest.first() {
            self.list.retain(|candidate| by_key(candidate, &last) != Ordering::Greater);
        }
    }

    /// All weights added up.
    pub(crate) fn total(&self) -> f64 {
        self.list.iter().map(|candidate| f64::from(candidate.weight)).sum()
    }

    /// The token at which the weights, added up in order of ids, pass `target`.
    pub(crate) fn pick(&self, mut target: f64) -> u32 {
        let mut last = 0;
        for candidate in self.list.iter().filter(|candidate| candidate.weight > 0.0) {
            last = candidate.token;
            if target < f64::from(candidate.weight) {
                break;
            }
            target -= f64::from(candidate.weight);
        }
        last
    }

    /// The candidates, most probable first.
    pub(crate) fn ranked(&mut self) -> &[Candidate] {
        self.list.sort_unstable_by(by_score);
        &self.list
    }
}
