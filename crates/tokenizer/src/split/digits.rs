//! Digits in groups of three, counted from the end of their run: 1,234,567 is 1, 234 and 567.
//!
//! Patterns say it by looking ahead over the rest of the number, which costs the square of its length.

use std::ops::Range;

use regex_syntax::hir::{Class, HirKind};

/// What counts as a digit, and where a number must end.
pub(crate) struct Digits {
    digit: Ranges,
    /// Characters that no number may stand before; a run that does is no number.
    word: Option<Ranges>,
    /// Whether the first group is cut off from what stands before it.
    isolates: bool,
}

impl Digits {
    /// Digits of any kind.
    pub(crate) fn any() -> Option<Self> {
        Some(Self { digit: Ranges::new(r"\p{N}")?, word: None, isolates: true })
    }

    /// `\d{1,3}(?=(?:\d{3})*\b)`.
    pub(crate) fn before_a_boundary() -> Option<Self> {
        Some(Self { digit: Ranges::new(r"\d")?, word: Some(Ranges::new(r"\w")?), isolates: true })
    }

    /// `(?=(\d{3})+(?!\d))`, which matches no characters: a cut before each whole group.
    pub(crate) fn cuts() -> Option<Self> {
        Some(Self { digit: Ranges::new(r"\d")?, word: None, isolates: false })
    }

    pub(super) fn cut(&self, text: &str, mut found: impl FnMut(Range<usize>)) {
        let mut start = 0;
        let mut cut = |start: &mut usize, at: usize| {
            if *start < at {
                found(*start..at);
                *start = at;
            }
        };
        let mut characters = text.char_indices().peekable();
        let mut run = Vec::new();
        while let Some((at, character)) = characters.next() {
            if !self.digit.has(character) {
                continue;
            }
            run.clear();
            run.push(at as u32);
            while let Some((at, _)) = characters.next_if(|&(_, next)| self.digit.has(next)) {
                run.push(at as u32);
            }
            let next = characters.peek();
            if self.word.as_ref().zip(next).is_some_and(|(word, &(_, next))| word.has(next)) {
                continue;
            }
            if self.isolates {
                cut(&mut start, at);
            }
            for group in (run.len() % 3..run.len()).step_by(3) {
                cut(&mut start, run[group] as usize);
            }
            if self.isolates {
                cut(&mut start, next.map_or(text.len(), |&(at, _)| at));
            }
        }
        cut(&mut start, text.len());
    }
}

/// A class of characters, by ranges.
struct Ranges(Vec<Range<u32>>);

impl Ranges {
    /// The class that a pattern is.
    fn new(pattern: &str) -> Option<Self> {
        match regex_syntax::parse(pattern).ok()?.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(Self(
                class.ranges().iter().map(|range| range.start().into()..u32::from(range.end()) + 1).collect(),
            )),
            _ => None,
        }
    }

    fn has(&self, character: char) -> bool {
        let code = u32::from(character);
        let at = self.0.partition_point(|range| range.end <= code);
        self.0.get(at).is_some_and(|range| range.contains(&code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(digits: Option<Digits>, text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        digits.unwrap().cut(text, |piece| found.push(&text[piece]));
        found
    }

    #[test]
    fn groups_from_the_end() {
        assert_eq!(cut(Digits::any(), "a1234567 89½"), ["a", "1", "234", "567", " ", "89½"]);
        assert_eq!(cut(Digits::any(), "123456"), ["123", "456"]);
        assert_eq!(cut(Digits::cuts(), "a1234567"), ["a1", "234", "567"]);
        assert_eq!(cut(Digits::cuts(), "12"), ["12"]);
    }

    #[test]
    fn a_number_that_a_letter_follows_is_none() {
        assert_eq!(cut(Digits::before_a_boundary(), "1234 1234px 12"), ["1", "234", " 1234px ", "12"]);
    }
}
