//! The log: a line for each request that was answered, the last thousand of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are kept.
const KEPT: usize = 1000;

/// Lines, each with a number that is one more than that of the line before.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// How many were forgotten.
    first: u64,
    lines: VecDeque<Arc<str>>,
}

impl Lines {
    pub(crate) fn push(&self, line: String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lines.len() == KEPT {
            state.lines.pop_front();
            state.first += 1;
        }
        state.lines.push_back(line.into());
    }

    /// Those from number `from` on, of those that are kept, and the number of the next one.
    pub(crate) fn from(&self, from: u64) -> (Vec<Arc<str>>, u64) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = usize::try_from(from.saturating_sub(state.first)).unwrap_or(usize::MAX);
        (state.lines.iter().skip(skipped).cloned().collect(), state.first + state.lines.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thousand_are_kept_by_their_numbers() {
        let lines = Lines::default();
        assert_eq!(lines.from(0), (vec![], 0));
        for number in 0..1500 {
            lines.push(number.to_string());
        }
        let (all, next) = lines.from(0);
        assert_eq!((all.len(), &*all[0], &*all[999], next), (1000, "500", "1499", 1500));
        assert_eq!(lines.from(1498).0, ["1498".into(), "1499".into()]);
        assert_eq!(lines.from(9999), (vec![], 1500));
    }
}
