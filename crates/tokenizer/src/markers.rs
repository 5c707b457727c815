//! Tokens that are found in a text before anything else is done to it: the longest one that begins leftmost.
//!
//! llama.cpp looks for one after the other, longest first; the library `tokenizers` and this look for all at once. They
//! differ where two overlap, and there the library's way is what a model was trained with.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::{Error, Result};

/// The most bytes that all of them have. Gemma's 6,414 have 60,000.
const LIMIT: usize = 4 << 20;

/// One token to find.
pub(crate) struct Marker {
    pub(crate) text: String,
    pub(crate) id: u32,
    /// Spaces before it belong to it.
    pub(crate) strips_before: bool,
    /// Spaces behind it belong to it.
    pub(crate) strips_behind: bool,
    /// It counts where it is a word of its own.
    pub(crate) is_word: bool,
}

/// Whether a word ends before a place of a text, or begins behind another.
pub(crate) fn touches_word(text: &str, range: &Range<usize>) -> bool {
    let is_word = |character: Option<char>| {
        character.is_some_and(|character| regex_syntax::try_is_word_character(character).unwrap_or(false))
    };
    is_word(text[..range.start].chars().next_back()) || is_word(text[range.end..].chars().next())
}

/// A part of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Token(u32),
}

/// What counts as a space around a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spaces {
    /// `isspace` of C.
    Ascii,
    Unicode,
}

impl Spaces {
    fn has(self, character: char) -> bool {
        match self {
            Self::Ascii => matches!(character, ' ' | '\t'..='\r'),
            Self::Unicode => character.is_whitespace(),
        }
    }
}

/// All tokens to find.
pub(crate) struct Markers {
    finder: Option<AhoCorasick>,
    spaces: Spaces,
    all: Vec<Marker>,
}

impl Markers {
    pub(crate) fn new(markers: Vec<Marker>, spaces: Spaces) -> Result<Self> {
        let found: usize = markers.iter().map(|marker| marker.text.len()).sum();
        if found > LIMIT {
            let (what, found, limit) = ("bytes of special tokens", found as u64, LIMIT as u64);
            return Err(Error::Limit { what, found, limit });
        }
        let texts = markers.iter().map(|marker| &marker.text);
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts);
        let finder = built.map_err(|error| Error::malformed("special tokens", error.to_string()))?;
        Ok(Self { finder: Some(finder).filter(|_| !markers.is_empty()), spaces, all: markers })
    }

    /// Whether there is nothing to find.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Gives the parts of a text to `found`, in order, with the tokens that are `allowed` where they are spelled; no text
    /// among the parts is empty.
    pub(crate) fn cut<'a>(
        &self,
        text: &'a str,
        allowed: impl Fn(u32, &Range<usize>) -> bool,
        mut found: impl FnMut(Part<'a>),
    ) {
        let is_space = |character| self.spaces.has(character);
        // Where the rest begins, and where a token in it may begin.
        let (mut rest, mut from) = (0, 0);
        while let Some(hit) = self.finder.as_ref().and_then(|finder| finder.find(Input::new(text).range(from..))) {
            let start = hit.start();
            let range = |marker: &Marker| start..start + marker.text.len();
            let longest = &self.all[hit.pattern()];
            let marker = if allowed(longest.id, &hit.range()) {
                Some(longest)
            } else {
                // Rare, so that looking at all of them does.
                let others = self.all.iter().filter(|marker| text[start..].starts_with(&*marker.text));
                others.filter(|marker| allowed(marker.id, &range(marker))).max_by_key(|marker| marker.text.len())
            };
            let Some(marker) = marker else {
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            if marker.is_word && touches_word(text, &range(marker)) {
                from = range(marker).end;
                continue;
            }
            let (before, behind) = (&text[rest..start], &text[range(marker).end..]);
            let before = if marker.strips_before { before.trim_end_matches(is_space) } else { before };
            if !before.is_empty() {
                found(Part::Text(before));
            }
            found(Part::Token(marker.id));
            let behind = if marker.strips_behind { behind.trim_start_matches(is_space) } else { behind };
            rest = text.len() - behind.len();
            from = rest;
        }
        if rest < text.len() {
            found(Part::Text(&text[rest..]));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn cut(markers: &[(&str, bool, bool)], text: &str) -> String {
        let marker = |(id, &(text, strips_before, strips_behind)): (u32, &(&str, bool, bool))| Marker {
            text: text.into(),
            id,
            strips_before,
            strips_behind,
            is_word: text.starts_with('w'),
        };
        let mut found = String::new();
        Markers::new((0..).zip(markers).map(marker).collect(), Spaces::Ascii).unwrap().cut(
            text,
            |_, _| true,
            |part| match part {
                Part::Text(text) => write!(found, "{text:?}").unwrap(),
                Part::Token(id) => write!(found, "{id}").unwrap(),
            },
        );
        found
    }

    #[test]
    fn the_longest_that_begins_leftmost() {
        assert_eq!(
            cut(&[("ab", false, false), ("bcd", false, false), ("abc", false, false)], "xabcdab"),
            r#""x"2"d"0"#
        );
        assert_eq!(cut(&[], "xé"), r#""xé""#);
        assert_eq!(cut(&[("x", false, false)], ""), "");
    }

    #[test]
    fn a_word_of_its_own_touches_none() {
        // As tokenizers 0.23 cuts it.
        assert_eq!(
            cut(&[("w", false, false), ("wa", false, false)], "w xw w. wawa wa \u{301}w"),
            "0\" xw \"0\". wawa \"1\" \\u{301}w\""
        );
    }

    #[test]
    fn spaces_around_belong_to_it() {
        assert_eq!(cut(&[("<m>", true, false)], "a \n<m> b"), r#""a"0" b""#);
        assert_eq!(cut(&[("<m>", true, true)], " <m>\t \u{a0}<m>"), "0\"\\u{a0}\"0");
    }
}
