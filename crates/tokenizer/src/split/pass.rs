//! One way to cut a text.

use std::ops::Range;

use super::caches::Caches;
use super::classes::Classes;
use super::digits::Digits;
use super::jais::Jais;
use super::machine::Machine;
use super::merging::{Merging, Neighbour};

/// One way to cut. Texts go through several, each of which cuts the pieces of the one before.
pub(crate) enum Pass {
    /// Matches of a pattern, and what lies between them.
    Pattern(Machine),
    /// Only matches of a pattern; what lies between them is left out.
    Matches(Machine),
    /// Only what lies between them.
    Between(Machine),
    /// Matches of a pattern, and what lies between them, some joined with their neighbours.
    Merged(Machine, Neighbour),
    /// Runs of characters of a kind.
    Classes(Box<Classes>),
    /// Groups of three digits, counted from the end of a number.
    Digits(Digits),
    /// Spaces at the end of a piece.
    TrailingSpace,
    /// Runs of spaces in powers of two.
    Jais(Box<Jais>),
}

impl Pass {
    /// A pass that keeps what lies between matches. `None` if the pattern is not of a kind that an automaton takes.
    pub(crate) fn pattern(pattern: &str) -> Option<Self> {
        Machine::new(pattern).map(Self::Pattern)
    }

    /// A pass that leaves out what lies between matches.
    pub(crate) fn matches(pattern: &str) -> Option<Self> {
        Machine::new(pattern).map(Self::Matches)
    }

    /// A pass that leaves out matches.
    pub(crate) fn between(pattern: &str) -> Option<Self> {
        Machine::new(pattern).map(Self::Between)
    }

    /// A pass that joins matches, or what lies between them, with their neighbours.
    pub(crate) fn merged(pattern: &str, neighbour: Neighbour) -> Option<Self> {
        Some(Self::Merged(Machine::new(pattern)?, neighbour))
    }

    /// Gives the pieces of `text` to `found`, in order; none is empty.
    pub(super) fn cut(&self, caches: &mut Caches, text: &str, found: &mut dyn FnMut(&mut Caches, Range<usize>)) {
        match self {
            Self::Pattern(machine) => machine.cut(caches, text, |caches, piece, _| found(caches, piece)),
            Self::Matches(machine) => machine.cut(caches, text, |caches, piece, matches| {
                if matches {
                    found(caches, piece);
                }
            }),
            Self::Between(machine) => machine.cut(caches, text, |caches, piece, matches| {
                if !matches {
                    found(caches, piece);
                }
            }),
            Self::Merged(machine, neighbour) => {
                let mut merging = Merging::new(*neighbour);
                machine.cut(caches, text, |caches, piece, matches| {
                    if let Some(piece) = merging.push(piece, matches) {
                        found(caches, piece);
                    }
                });
                if let Some(piece) = merging.end() {
                    found(caches, piece);
                }
            }
            Self::Classes(classes) => classes.cut(text, |piece| found(caches, piece)),
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
