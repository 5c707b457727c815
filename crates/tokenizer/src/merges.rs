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

/// Merges by the ids of both tokens.
pub(crate) struct Merges {
    pairs: Vec<[u32; 2]>,
    found: Vec<Merge>,
    /// Where each pair stands in the two lists; a table that is at most half full.
    places: Vec<u32>,
}

/// A place that is free.
const FREE: u32 = u32::MAX;

impl Merges {
    /// Looks up the ids of all pairs. `prefix` is what every token but the first of a word begins with.
    pub(crate) fn new(pairs: &Pairs, vocabulary: &Vocabulary, prefix: &str) -> Result<Self> {
        let malformed = |reason| Error::malformed("merges", reason);
        let id = |text: &str| {
            vocabulary.id(text).ok_or_else(|| malformed(format!("the vocabulary has no {text:?}, which a merge names")))
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
        found.reverse();
        Ok(Self::of(found))
    }

    /// Merges of a GGUF file, each two parts with a space between, the best first.
    ///
    /// Unlike the library, llama.cpp merges texts that the vocabulary does not have. Those get ids beyond it, and
    /// `Spare` says what they are made of.
    pub(crate) fn of_gguf(merges: &[&[u8]], vocabulary: &Vocabulary, bytes: &[Option<u32>]) -> (Self, Spare) {
        let mut spare = Spare { first: vocabulary.len(), ids: HashMap::new(), parts: Vec::new() };
        let mut found = Vec::with_capacity(merges.len());
        let mut joined = Vec::new();
        for (rank, merge) in (0..).zip(merges) {
            let Some(middle) = merge.iter().skip(1).position(|&byte| byte == b' ') else { continue };
            let (first, second) = (&merge[..=middle], &merge[middle + 2..]);
            let (Some(first_id), Some(second_id)) =
                (spare.part(vocabulary, first, bytes), spare.part(vocabulary, second, bytes))
            else {
                // It can never come about.
                continue;
            };
            joined.clear();
            joined.extend_from_slice(first);
            joined.extend_from_slice(second);
            let result = spare.joined(vocabulary, &joined, [first_id, second_id]);
            found.push((first_id, second_id, Merge { rank, result }));
        }
        // A pair that comes twice counts at its first place, as in llama.cpp.
        (Self::of(found), spare)
    }

    /// Merges of pairs, of which the first of equal ones counts.
    fn of(all: Vec<(u32, u32, Merge)>) -> Self {
        let places = vec![FREE; (2 * all.len()).next_power_of_two().max(2)];
        let (pairs, found) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
        let mut merges = Self { pairs, found, places };
        for (first, second, merge) in all {
            let pair = [first, second];
            let at = merges.place(pair);
            if merges.places[at] == FREE {
                merges.places[at] = merges.pairs.len() as u32;
                merges.pairs.push(pair);
                merges.found.push(merge);
            }
        }
        merges
    }

    /// Where a pair is in the table, or would be.
    fn place(&self, pair: [u32; 2]) -> usize {
        let mask = self.places.len() - 1;
        let key = u64::from(pair[0]) << 32 | u64::from(pair[1]);
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.places[at] != FREE && self.pairs[self.places[at] as usize] != pair {
            at = (at + 1) & mask;
        }
        at
    }

    /// What these two become, if anything.
    pub(crate) fn get(&self, first: u32, second: u32) -> Option<Merge> {
        self.found.get(self.places[self.place([first, second])] as usize).copied()
    }

    /// All tokens that something becomes.
    pub(crate) fn results(&self) -> impl Iterator<Item = u32> {
        self.found.iter().map(|merge| merge.result)
    }
}

/// Texts that merges name and the vocabulary does not have.
#[derive(Default)]
pub(crate) struct Spare {
    first: u32,
    ids: HashMap<Box<[u8]>, u32>,
    /// What each of them is made of: two texts, or the tokens of a character's bytes, if it has any.
    parts: Vec<Vec<u32>>,
}

impl Spare {
    /// The id of a text that is known, or is one character and so may stand in a word.
    fn part(&mut self, vocabulary: &Vocabulary, text: &[u8], bytes: &[Option<u32>]) -> Option<u32> {
        let known = vocabulary.id_of(text).or_else(|| self.ids.get(text).copied());
        let is_character = || std::str::from_utf8(text).is_ok_and(|text| text.chars().count() == 1);
        let spelled =
            || text.iter().map(|&byte| bytes.get(usize::from(byte)).copied().flatten()).collect::<Option<_>>();
        known.or_else(|| is_character().then(|| self.add(text, spelled().unwrap_or_default())))
    }

    fn joined(&mut self, vocabulary: &Vocabulary, text: &[u8], parts: [u32; 2]) -> u32 {
        let known = vocabulary.id_of(text).or_else(|| self.ids.get(text).copied());
        known.unwrap_or_else(|| self.add(text, parts.to_vec()))
    }

    fn add(&mut self, text: &[u8], parts: Vec<u32>) -> u32 {
        let id = self.first + self.parts.len() as u32;
        self.ids.insert(text.into(), id);
        self.parts.push(parts);
        id
    }

    /// The id of a text.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        if self.ids.is_empty() { None } else { self.ids.get(text.as_bytes()).copied() }
    }

    /// Gives the tokens of the vocabulary that `id` is made of to `found`.
    pub(crate) fn expand(&self, id: u32, mut found: impl FnMut(u32)) {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            match id.checked_sub(self.first).map(|at| self.parts.get(at as usize)) {
                None => found(id),
                Some(parts) => left.extend(parts.into_iter().flatten().rev()),
            }
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}
