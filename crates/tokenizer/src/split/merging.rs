//! Matches that belong to what stands before or behind them, or to one another.

use std::ops::Range;

/// What is joined. `inverted`: what lies between matches, in their place.
#[derive(Clone, Copy)]
pub(crate) enum Neighbour {
    /// Each match with what stands before it, unless that is a match, too.
    Previous { inverted: bool },
    /// Each match with what stands behind it, unless that is a match, too.
    Next { inverted: bool },
    /// Matches in a row.
    Same,
}

/// Joins pieces of a text that come in order.
pub(crate) struct Merging {
    neighbour: Neighbour,
    /// The last piece, which may be joined with the next, and whether it ends with a match.
    waiting: Option<(Range<usize>, bool)>,
}

impl Merging {
    pub(crate) fn new(neighbour: Neighbour) -> Self {
        Self { neighbour, waiting: None }
    }

    /// Takes the next piece; gives one that is complete.
    pub(crate) fn push(&mut self, piece: Range<usize>, matches: bool) -> Option<Range<usize>> {
        let matches = match self.neighbour {
            Neighbour::Previous { inverted } | Neighbour::Next { inverted } => matches != inverted,
            Neighbour::Same => matches,
        };
        if let Some((last, was_match)) = &mut self.waiting {
            let joins = match self.neighbour {
                Neighbour::Previous { .. } => matches && !*was_match,
                Neighbour::Next { .. } => *was_match && !matches,
                Neighbour::Same => matches == *was_match,
            };
            if joins {
                (last.end, *was_match) = (piece.end, matches);
                return None;
            }
        }
        self.waiting.replace((piece, matches)).map(|(last, _)| last)
    }

    /// The last piece.
    pub(crate) fn end(self) -> Option<Range<usize>> {
        self.waiting.map(|(last, _)| last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{Pass, Splitter};

    /// The library's own example.
    #[test]
    fn matches_join_their_neighbours() {
        let split = |neighbour| {
            let mut found = Vec::new();
            let splitter = Splitter::new(vec![Pass::merged("-", neighbour).unwrap()]);
            splitter.split("The-final--countdown", &mut |piece| found.push(piece.to_owned()));
            found
        };
        assert_eq!(split(Neighbour::Previous { inverted: false }), ["The-", "final-", "-", "countdown"]);
        assert_eq!(split(Neighbour::Next { inverted: false }), ["The", "-final", "-", "-countdown"]);
        assert_eq!(split(Neighbour::Same), ["The", "-", "final", "--", "countdown"]);
        assert_eq!(split(Neighbour::Previous { inverted: true }), ["The", "-final", "-", "-countdown"]);
        assert_eq!(split(Neighbour::Next { inverted: true }), ["The-", "final-", "-", "countdown"]);
    }
}
