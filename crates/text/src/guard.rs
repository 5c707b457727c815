//! Keeps text from users apart from tokens that only a template may write.
//!
//! A prompt is one string in which the template wrote `<|im_end|>` and a user may have written it too. So before
//! rendering, a marker (a Unicode noncharacter that occurs nowhere else) is put inside each such spelling in text from
//! outside, and where such a text ends or begins with a part of one, so that two texts side by side cannot make one up.
//! After rendering the markers are taken out, and a spelling that had one inside is known not to be the template's.
//!
//! Not caught: a text that is the *middle* of a spelling whose two ends the template wrote. Templates do that on
//! purpose, with roles (`'<|' + role + '|>'`).

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use trillm_core::{Guarded, Token};

use crate::content::Fields;
use crate::{Error, Result};

/// Noncharacters: code points that Unicode promises never to assign.
const MARKERS: Range<u32> = 0xFDD0..0xFDF0;

/// Spellings that only a model's template may write.
pub(crate) struct Guard {
    /// Sorted.
    tokens: Vec<Token>,
    matcher: AhoCorasick,
    /// Sorted.
    spellings: Vec<Vec<u8>>,
    /// Sorted, with the bytes of each in reverse.
    reversed: Vec<Vec<u8>>,
    longest: usize,
}

impl Guard {
    /// A guard of tokens, in order, each with its spelling.
    pub(crate) fn new(reserved: &[(Token, &str)]) -> Result<Self> {
        let mut spellings: Vec<Vec<u8>> = reserved.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
        spellings.sort_unstable();
        spellings.dedup();
        let mut reversed: Vec<Vec<u8>> = spellings.iter().map(|text| text.iter().rev().copied().collect()).collect();
        reversed.sort_unstable();
        let matcher = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&spellings);
        let matcher = matcher.map_err(|error| Error::Failed { reason: format!("control tokens: {error}") })?;
        let longest = spellings.iter().map(Vec::len).max().unwrap_or_default();
        Ok(Self { tokens: reserved.iter().map(|&(token, _)| token).collect(), matcher, spellings, reversed, longest })
    }

    /// The tokens that are not to be read in these places of a text.
    pub(crate) fn within<'a>(&'a self, ranges: &'a [Range<usize>]) -> Guarded<'a> {
        Guarded { tokens: &self.tokens, ranges }
    }

    /// Whether any string in `json` would be marked. `used` collects the markers that occur in it already.
    pub(crate) fn touches(&self, json: &Value, used: &mut u32) -> bool {
        match json {
            Value::String(text) => self.touches_text(text, used),
            // Not `any`: it would stop before all strings are looked at.
            Value::Array(items) => items.iter().fold(false, |found, item| self.touches(item, used) | found),
            Value::Object(fields) => self.touches_fields(fields, used),
            _ => false,
        }
    }

    pub(crate) fn touches_fields(&self, fields: &Fields, used: &mut u32) -> bool {
        fields
            .iter()
            .fold(false, |found, (name, value)| self.touches_text(name, used) | self.touches(value, used) | found)
    }

    fn touches_text(&self, text: &str, used: &mut u32) -> bool {
        *used |= markers_in(text);
        self.matcher.is_match(text) || self.ends_inside(text) || self.begins_inside(text)
    }

    /// Marks every string in `json`.
    pub(crate) fn mark(&self, json: &Value, marker: char) -> Value {
        match json {
            Value::String(text) => self.mark_text(text, marker).into(),
            Value::Array(items) => items.iter().map(|item| self.mark(item, marker)).collect(),
            Value::Object(fields) => self.mark_fields(fields, marker).into(),
            other => other.clone(),
        }
    }

    pub(crate) fn mark_fields(&self, fields: &Fields, marker: char) -> Fields {
        let entry = |(name, value): (&String, &Value)| (self.mark_text(name, marker).into(), self.mark(value, marker));
        fields.iter().map(entry).collect()
    }

    fn mark_text<'a>(&self, text: &'a str, marker: char) -> Cow<'a, str> {
        let first = |at: usize| text[at..].chars().next().map_or(0, char::len_utf8);
        let mut places: Vec<usize> =
            self.matcher.find_overlapping_iter(text).map(|found| found.start() + first(found.start())).collect();
        if self.begins_inside(text) {
            places.push(0);
        }
        if self.ends_inside(text) {
            places.push(text.len());
        }
        if places.is_empty() {
            return text.into();
        }
        places.sort_unstable();
        places.dedup();
        let mut out = String::with_capacity(text.len() + places.len() * marker.len_utf8());
        let mut from = 0;
        for place in places {
            out.push_str(&text[from..place]);
            out.push(marker);
            from = place;
        }
        out.push_str(&text[from..]);
        out.into()
    }

    /// Whether the text ends with a part, but not the whole, of a spelling's beginning.
    fn ends_inside(&self, text: &str) -> bool {
        let text = text.as_bytes();
        (1..self.longest.min(text.len() + 1)).any(|len| begins_any(&self.spellings, &text[text.len() - len..]))
    }

    /// Whether the text begins with a part, but not the whole, of a spelling's end.
    fn begins_inside(&self, text: &str) -> bool {
        let start: Vec<u8> = text.bytes().take(self.longest.saturating_sub(1)).collect();
        (1..=start.len()).any(|len| {
            let reversed: Vec<u8> = start[..len].iter().rev().copied().collect();
            begins_any(&self.reversed, &reversed)
        })
    }

    /// Takes the markers out of a rendered text, and finds the spellings that had one inside.
    pub(crate) fn unmark(&self, rendered: &str, marker: char) -> (String, Vec<Range<usize>>) {
        let mut text = String::with_capacity(rendered.len());
        let mut marks = Vec::new();
        for piece in rendered.split(marker) {
            text.push_str(piece);
            marks.push(text.len());
        }
        // After the last piece there is no marker.
        marks.pop();

        let is_marked = |range: &Range<usize>| {
            let next = marks.partition_point(|&mark| mark <= range.start);
            marks.get(next).is_some_and(|&mark| mark < range.end)
        };
        let found = self.matcher.find_overlapping_iter(&text).map(|found| found.range()).filter(is_marked);
        let ranges = union(found.collect());
        (text, ranges)
    }
}

/// A noncharacter that is not in `used`.
pub(crate) fn unused_marker(used: u32) -> Option<char> {
    MARKERS.clone().nth(used.trailing_ones() as usize).and_then(char::from_u32)
}

/// The markers that occur in a text, one bit for each.
pub(crate) fn markers_in(text: &str) -> u32 {
    let mut found = 0;
    // All of them are EF B7 and a third byte; few texts hold even the first.
    if text.as_bytes().contains(&0xEF) {
        for c in text.chars().filter(|&c| MARKERS.contains(&u32::from(c))) {
            found |= 1 << (u32::from(c) - MARKERS.start);
        }
    }
    found
}

/// Whether any of the sorted texts begins with `start` and goes on after it.
fn begins_any(sorted: &[Vec<u8>], start: &[u8]) -> bool {
    let after = sorted.partition_point(|text| text.as_slice() <= start);
    sorted.get(after).is_some_and(|text| text.starts_with(start))
}

/// Ranges in order, those that overlap made one.
fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut out: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut().filter(|last| range.start < last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => out.push(range),
        }
    }
    out
}
