//! Keeps text from users apart from tokens that only a template may write.
//!
//! Not caught: a text without any character of a marker's kind that a template puts between two halves of one, or behind
//! the first. Templates do that on purpose, with roles (`'<|' + role + '|>'`).

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use trillm_core::{Guarded, Token};

use crate::content::Fields;
use crate::veil::{Veil, used_by};
use crate::{Error, Result};

/// Spellings that only a model's template may write.
pub(crate) struct Guard {
    /// Sorted.
    tokens: Vec<Token>,
    matcher: AhoCorasick,
    /// Those without a character that tells, sorted: two texts may have a half each.
    plain: Vec<Box<str>>,
    /// The characters that make a marker one, and the first ones of spellings without such.
    veil: Veil,
}

/// Which characters of a text are veiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// All that a marker may be made of, however the template cuts the text and puts it together.
    Everywhere,
    /// Those in the spellings that stand there.
    InSpellings,
}

impl Guard {
    /// A guard of tokens, in order, each with its spelling.
    pub(crate) fn new(reserved: &[(Token, &str)]) -> Result<Self> {
        let mut spellings: Vec<&str> = reserved.iter().map(|&(_, text)| text).collect();
        spellings.sort_unstable();
        spellings.dedup();
        let matcher = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&spellings);
        let matcher = matcher.map_err(|error| Error::Failed { reason: format!("control tokens: {error}") })?;
        let veil = Veil::new(spellings.iter().flat_map(|text| telling(text)));
        let plain = spellings.iter().filter(|text| !text.contains(is_telling)).map(|&text| text.into()).collect();
        Ok(Self { tokens: reserved.iter().map(|&(token, _)| token).collect(), matcher, plain, veil })
    }

    /// The tokens that are not to be read in these places of a text.
    pub(crate) fn within<'a>(&'a self, ranges: &'a [Range<usize>]) -> Guarded<'a> {
        Guarded { tokens: &self.tokens, ranges }
    }

    /// A veil for these characters that is none of `used`.
    pub(crate) fn veil(&self, used: &BTreeSet<char>) -> Result<Veil> {
        self.veil.beside(used)
    }

    /// Where the spellings are in a text, one over the other too.
    pub(crate) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.matcher.find_overlapping_iter(text).map(|found| found.range())
    }

    /// The places from which on a text is the beginning of a plain spelling that the next text may complete.
    fn begun<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let longest = self.plain.iter().map(|spelling| spelling.len()).max().unwrap_or(0);
        let begins = |at: &usize| {
            let half = &text[*at..];
            let next = self.plain.partition_point(|spelling| **spelling <= *half);
            self.plain.get(next).is_some_and(|spelling| spelling.starts_with(half))
        };
        text.char_indices().rev().map(|(at, _)| at).take_while(move |at| text.len() - at < longest).filter(begins)
    }

    /// Whether anything in `json` would be veiled. `used` collects the characters that no veil may use.
    pub(crate) fn touches(&self, json: &Value, used: &mut BTreeSet<char>) -> bool {
        match json {
            Value::String(text) => self.touches_text(text, used),
            // Not `any`: it would stop before all strings are looked at.
            Value::Array(items) => items.iter().fold(false, |found, item| self.touches(item, used) | found),
            Value::Object(fields) => self.touches_fields(fields, used),
            _ => false,
        }
    }

    pub(crate) fn touches_fields(&self, fields: &Fields, used: &mut BTreeSet<char>) -> bool {
        fields
            .iter()
            .fold(false, |found, (name, value)| self.touches_text(name, used) | self.touches(value, used) | found)
    }

    fn touches_text(&self, text: &str, used: &mut BTreeSet<char>) -> bool {
        used.extend(used_by(text));
        text.contains(|c| is_telling(c) && self.veil.over(c).is_some())
            || self.matcher.is_match(text)
            || self.begun(text).next().is_some()
    }

    /// Every string in `json`, veiled.
    pub(crate) fn veiled(&self, json: &Value, veil: &Veil, how: How) -> Value {
        match json {
            Value::String(text) => self.veiled_text(text, veil, how).into(),
            Value::Array(items) => items.iter().map(|item| self.veiled(item, veil, how)).collect(),
            Value::Object(fields) => self.veiled_fields(fields, veil, how).into(),
            other => other.clone(),
        }
    }

    pub(crate) fn veiled_fields(&self, fields: &Fields, veil: &Veil, how: How) -> Fields {
        let entry =
            |(name, value): (&String, &Value)| (self.veiled_text(name, veil, how), self.veiled(value, veil, how));
        fields.iter().map(entry).collect()
    }

    fn veiled_text(&self, text: &str, veil: &Veil, how: How) -> String {
        let mut places: BTreeSet<usize> = self.begun(text).collect();
        for range in self.find(text) {
            // Without a character that tells, its first one.
            let inside = text[range.clone()].char_indices().filter(|&(_, c)| is_telling(c));
            let at = places.len();
            places.extend(inside.map(|(at, _)| range.start + at));
            if places.len() == at && !text[range.clone()].contains(is_telling) {
                places.insert(range.start);
            }
        }
        let is_veiled = |at: usize, c: char| how == How::Everywhere && is_telling(c) || places.contains(&at);
        text.char_indices().map(|(at, c)| veil.over(c).filter(|_| is_veiled(at, c)).unwrap_or(c)).collect()
    }
}

/// Whether a character makes a marker one: it is seldom in a word or a name, and no white space. Quotes and backslashes
/// are none: where a template makes JSON of a text, what stands for them would have no backslash before it.
fn is_telling(c: char) -> bool {
    let is_ordinary = matches!(c, '_' | '-' | '.' | ',' | ':' | '/' | '@' | '▁' | '\'' | '"' | '\\');
    !c.is_alphanumeric() && !c.is_whitespace() && !is_ordinary
}

/// The characters of a spelling that tell, or its first one.
fn telling(text: &str) -> impl Iterator<Item = char> {
    let first = if text.contains(is_telling) { None } else { text.chars().next() };
    text.chars().filter(|&c| is_telling(c)).chain(first)
}

/// Ranges in order, those that overlap made one.
pub(crate) fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
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
