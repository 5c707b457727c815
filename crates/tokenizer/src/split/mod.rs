//! Cuts a text into the words that byte-pair encoding works on, in time linear in the text and on any stack.
//!
//! Models say how by regular expressions. Engines of the backtracking kind run them by recursion, or in time that a text
//! can make quadratic: a run of 27,000 equals signs ended a process. Here each is one automaton that reads every byte
//! a few times at most. What an automaton cannot do, looking ahead, is a case of its own: see [`machine`] for spaces
//! and [`digits`] for groups of digits.

mod ascii;
mod classes;
mod digits;
mod jais;
mod machine;
mod merging;
mod rules;

use std::ops::Range;
use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::pool::Pool;

use self::digits::Digits;
use self::jais::Jais;
use self::machine::Machine;

pub(crate) use self::classes::{Class, Classes};
pub(crate) use self::merging::{Merging, Neighbour};
pub(crate) use self::rules::passes;

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
    fn cut(&self, caches: &mut Caches, text: &str, found: &mut dyn FnMut(&mut Caches, Range<usize>)) {
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

/// What automata remember of the states they met, by the number of each automaton.
type Caches = Vec<Cache>;

/// All ways to cut of one model.
pub(crate) struct Splitter {
    passes: Vec<Pass>,
    caches: Pool<Caches, MakeCaches>,
}

impl Splitter {
    /// A splitter of passes that go one after the other; without any, a text is one piece.
    pub(crate) fn new(mut passes: Vec<Pass>) -> Self {
        let mut automata = Vec::new();
        for pass in &mut passes {
            match pass {
                Pass::Pattern(machine) | Pass::Matches(machine) | Pass::Between(machine) | Pass::Merged(machine, _) => {
                    machine.number(&mut automata);
                }
                Pass::Jais(jais) => jais.machine.number(&mut automata),
                Pass::Digits(_) | Pass::TrailingSpace | Pass::Classes(_) => {}
            }
        }
        Self { passes, caches: Pool::new(caches_of(automata)) }
    }

    /// Gives the pieces of a text to `found`, in order; none is empty.
    pub(crate) fn split(&self, text: &str, found: &mut dyn FnMut(&str)) {
        let mut caches = self.caches.get();
        cut(&self.passes, &mut caches, text, found);
    }
}

/// Writes something else for each match of a pattern.
pub(crate) struct Replacer {
    machine: Machine,
    caches: Pool<Caches, MakeCaches>,
    content: String,
}

impl Replacer {
    /// `None` if the pattern is not of a kind that an automaton takes.
    pub(crate) fn new(pattern: &str, content: String) -> Option<Self> {
        let (mut machine, mut automata) = (Machine::new(pattern)?, Vec::new());
        machine.number(&mut automata);
        let caches = Pool::new(caches_of(automata));
        Some(Self { machine, caches, content })
    }

    pub(crate) fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.machine.cut(&mut self.caches.get(), text, |_, piece, matches| {
            out.push_str(if matches { &self.content } else { &text[piece] });
        });
        out
    }
}

type MakeCaches = Box<dyn Fn() -> Caches + Send + Sync>;

fn caches_of(automata: Vec<Arc<DFA>>) -> MakeCaches {
    Box::new(move || automata.iter().map(|dfa| dfa.create_cache()).collect())
}

fn cut(passes: &[Pass], caches: &mut Caches, text: &str, found: &mut dyn FnMut(&str)) {
    match passes.split_first() {
        None if text.is_empty() => {}
        None => found(text),
        Some((pass, rest)) => {
            pass.cut(caches, text, &mut |caches, piece| cut(rest, caches, &text[piece], found));
        }
    }
}
