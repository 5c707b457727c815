//! One way to cut a text.

use std::ops::Range;

use super::caches::Caches;
use super::classes::Classes;
use super::digits::Digits;
use super::jais::Jais;
use super::merging::{Merging, Neighbour};
use super::pattern;

/// One way to cut. Texts go through several, each of which cuts the pieces of the one before.
pub(crate) enum Pass {
    /// Matches of a pattern, and what lies between them.
    Pattern(pattern::Pattern),
    /// Only matches of a pattern; what lies between them is left out.
    Matches(pattern::Pattern),
    /// Only what lies between them.
    Between(pattern::Pattern),
    /// Matches of a pattern, and what lies between them, some joined with their neighbours.
    Merged(pattern::Pattern, Neighbour),
    /// Runs of characters of a kind.
    Classes(Box<Classes>),
    /// So many characters, and fewer at the end.
    Fixed(usize),
    /// Groups of three digits, counted from the end of a number.
    Digits(Digits),
    /// Spaces at the end of a piece.
    TrailingSpace,
    /// Runs of spaces in powers of two.
    Jais(Box<Jais>),
}

impl Pass {
    /// A pass that keeps what lies between matches. `None` if the pattern is left to the library.
    pub(crate) fn pattern(pattern: &str) -> Option<Self> {
        pattern::Pattern::new(pattern).map(Self::Pattern)
    }

    /// A pass that leaves out what lies between matches.
    pub(crate) fn matches(pattern: &str) -> Option<Self> {
        pattern::Pattern::new(pattern).map(Self::Matches)
    }

    /// A pass that leaves out matches.
    pub(crate) fn between(pattern: &str) -> Option<Self> {
        pattern::Pattern::new(pattern).map(Self::Between)
    }

    /// A pass that joins matches, or what lies between them, with their neighbours.
    pub(crate) fn merged(pattern: &str, neighbour: Neighbour) -> Option<Self> {
        Some(Self::Merged(pattern::Pattern::new(pattern)?, neighbour))
    }

    /// Gives the pieces of `text` to `found`, in order. One may be empty where a pattern matches nothing.
    pub(super) fn cut(&self, caches: &mut Caches, text: &str, found: &mut dyn FnMut(&mut Caches, Range<usize>)) {
        match self {
            Self::Pattern(pattern) => pattern.cut(caches, text, |caches, piece, _| found(caches, piece)),
            Self::Matches(pattern) => pattern.cut(caches, text, |caches, piece, matches| {
                if matches {
                    found(caches, piece);
                }
            }),
            Self::Between(pattern) => pattern.cut(caches, text, |caches, piece, matches| {
                if !matches {
                    found(caches, piece);
                }
            }),
            Self::Merged(pattern, neighbour) => {
                let mut merging = Merging::new(*neighbour);
                pattern.cut(caches, text, |caches, piece, matches| {
                    if let Some(piece) = merging.push(piece, matches) {
                        found(caches, piece);
                    }
                });
                if let Some(piece) = merging.end() {
                    found(caches, piece);
                }
            }
            Self::Classes(classes) => classes.cut(text, |piece| found(caches, piece)),
            Self::Fixed(length) => {
                let mut start = 0;
                while start < text.len() {
                    let next = text[start..].char_indices().nth(*length);
                    let end = next.map_or(text.len(), |(at, _)| start + at);
                    found(caches, start..end);
                    start = end;
                }
            }
            Self::Digits(digits) => digits.cut(text, |piece| found(caches, piece)),
            Self::Jais(jais) => jais.cut(caches, text, found),
            Self::TrailingSpace => {
                let end = text.trim_end().len();
                for piece in [0..end, end..text.len()] {
                    if !piece.is_empty() {
                        found(caches, piece);
                    }
                }
            }
        }
    }
}
