//! Who wrote what in a prompt, told from the same prompt with the texts from outside veiled.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::guard::{Guard, union};

/// How long two prompts are compared. What is not compared by then is taken for a text from outside.
const PATIENCE: Duration = Duration::from_millis(200);

/// The places in `shown` that are not known to be the template's, where the prompt with veils came out otherwise because
/// the template looks at what the texts say. `lifted` is that prompt without its veils, which were at `places`.
///
/// The prompts are compared piece by piece, from the front and from the back: what both ways find to be the same piece
/// of the template is its own. A text that imitates one is found by one of them at most.
pub(crate) fn foreign(guard: &Guard, shown: &str, lifted: &str, places: &[Range<usize>]) -> Vec<Range<usize>> {
    let (ours, theirs) = (pieces(guard, shown), pieces(guard, lifted));
    let mut old: Vec<&str> = ours.iter().map(|piece| &shown[piece.clone()]).collect();
    let mut new: Vec<&str> = theirs.iter().map(|piece| &lifted[piece.clone()]).collect();
    let from_front = same(&old, &new);
    old.reverse();
    new.reverse();
    let mut from_back = same(&old, &new);
    from_back.reverse();
    let is_own = |(front, back): (Option<usize>, Option<usize>)| {
        let index = front.filter(|&front| back.is_some_and(|back| front + back + 1 == theirs.len()));
        index.is_some_and(|index| !overlaps(places, &theirs[index]))
    };
    let own = from_front.into_iter().zip(from_back).map(is_own);
    ours.into_iter().zip(own).filter_map(|(piece, own)| (!own).then_some(piece)).collect()
}

/// Whether any of these places, in order, has a part of a range.
pub(crate) fn overlaps(places: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = places.partition_point(|place| place.end <= range.start);
    places.get(next).is_some_and(|place| place.start < range.end)
}

/// For each piece of `old` the one of `new` that it is.
fn same(old: &[&str], new: &[&str]) -> Vec<Option<usize>> {
    let mut found = vec![None; old.len()];
    for operation in capture_diff_slices_deadline(Algorithm::Myers, old, new, Some(Instant::now() + PATIENCE)) {
        if let DiffOp::Equal { old_index, new_index, len } = operation {
            for (offset, place) in found[old_index..old_index + len].iter_mut().enumerate() {
                *place = Some(new_index + offset);
            }
        }
    }
    found
}

/// A text cut into spellings, words, and each character between.
fn pieces(guard: &Guard, text: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for spelling in union(guard.find(text).collect()) {
        words(text, at..spelling.start, &mut pieces);
        at = spelling.end;
        pieces.push(spelling);
    }
    words(text, at..text.len(), &mut pieces);
    pieces
}

fn words(text: &str, range: Range<usize>, pieces: &mut Vec<Range<usize>>) {
    let mut in_word = false;
    for (at, c) in text[range.clone()].char_indices() {
        let (start, end) = (range.start + at, range.start + at + c.len_utf8());
        match pieces.last_mut().filter(|_| in_word && c.is_alphanumeric()) {
            Some(word) => word.end = end,
            None => pieces.push(start..end),
        }
        in_word = c.is_alphanumeric();
    }
}
