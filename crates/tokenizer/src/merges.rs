//! The merges of byte-pair encoding: which two tokens become one, and how soon.

use std::collections::HashMap;
use std::ops::Range;

use crate::vocabulary::Vocabulary;
use crate::{Error, Result};

/// The largest number of merges. The largest known list has 514,906.
pub(crate) const LIMIT: usize = 1 << 22;

/// Pairs of texts in the order of the file, best first.
#[derive(Default)]
pub(crate) struct Pairs {
    text: String,
    /// Where the first text of each pair ends, and the second.
    ends: Vec<[u32; 2]>,
}

impl Pairs {
    pub(crate) fn push(&mut self, first: &str, second: &str) {
        self.text.push_str(first);
        let middle = self.text.len() as u32;
        self.text.push_str(second);
        self.ends.push([middle, self.text.len() as u32]);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|ends| ends[1]));
        let text = |range: Range<u32>| &self.text[range.start as usize..range.end as usize];
        self.ends.iter().zip(starts).map(move |(&[middle, end], start)| (text(start..middle), text(middle..end)))
    }
}

/// What two tokens become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Merge {
    /// Smaller is merged sooner.
    pub(crate) rank: u32,
    /// The token they become.
    pub(crate) result: u32,
}

/// Merges by the ids of both tokens: the second ones of each first token lie in a row, in order.
pub(crate) struct Merges {
    /// Where the row of each first token begins; one more for the end of the last.
    starts: Vec<u32>,
    seconds: Vec<u32>,
    found: Vec<Merge>,
}

impl Merges {
    /// Looks up the ids of all pairs. `prefix` is what every token but the first of a word begins with.
    pub(crate) fn new(pairs: &Pairs, vocabulary: &Vocabulary, prefix: &str) -> Result<Self> {
        let malformed = |reason| Error::malformed("merges", reason);
        // Three look-ups a merge: a search for each would be half of the time that opening a tokenizer takes.
        let ids: HashMap<&str, u32> = vocabulary.tokens().collect();
        let id = |text: &str| {
            ids.get(text)
                .copied()
                .ok_or_else(|| malformed(format!("the vocabulary has no {text:?}, which a merge names")))
        };
        let mut found = Vec::with_capacity(pairs.len());
        let mut joined = String::new();
        for (rank, (first, second)) in (0..).zip(pairs.iter()) {
            let Some(rest) = second.strip_prefix(prefix) else {
                return Err(malformed(format!(
                    "{second:?} does not begin with {prefix:?}, as all that come second do"
                )));
            };
            joined.clear();
            joined.push_str(first);
            joined.push_str(rest);
            found.push((id(first)?, id(second)?, Merge { rank, result: id(&joined)? }));
        }
        // A pair that comes twice counts at its last place, as in the library.
        found.sort_unstable_by_key(|&(first, second, merge)| (first, second, std::cmp::Reverse(merge.rank)));
        found.dedup_by_key(|&mut (first, second, _)| (first, second));

        let mut starts = vec![0; vocabulary.len() as usize + 1];
        for &(first, ..) in &found {
            starts[first as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let seconds = found.iter().map(|&(_, second, _)| second).collect();
        let found = found.into_iter().map(|(.., merge)| merge).collect();
        Ok(Self { starts, seconds, found })
    }

    /// What these two become, if anything.
    pub(crate) fn get(&self, first: u32, second: u32) -> Option<Merge> {
        let at = first as usize;
        let row = *self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize;
        let at = self.seconds[row.clone()].binary_search(&second).ok()?;
        Some(self.found[row.start + at])
    }
}
