//! Cuts a text into the words that byte-pair encoding works on, in time linear in the text and on any stack.
//!
//! Models say how by regular expressions. Engines of the backtracking kind run them by recursion, or in time that a text
//! can make quadratic: a run of 27,000 equals signs ended a process. Here each is one automaton that reads every byte
//! a few times at most. What an automaton cannot do, looking ahead, is a case of its own: see [`machine`] for spaces
//! and [`digits`] for groups of digits.

mod digits;
mod jais;
mod machine;
mod rules;

use std::ops::Range;

use regex_automata::hybrid::dfa::Cache;
use regex_automata::util::pool::Pool;

use self::digits::Digits;
use self::jais::Jais;
use self::machine::Machine;

pub(crate) use self::rules::passes;

/// One way to cut. Texts go through several, each of which cuts the pieces of the one before.
pub(crate) enum Pass {
    /// Matches of a pattern, and what lies between them.
    Pattern(Machine),
    /// Only matches of a pattern; what lies between them is left out.
    Matches(Machine),
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

    /// Gives the pieces of `text` to `found`, in order; none is empty.
    fn cut(&self, caches: &mut Caches, text: &str, found: &mut dyn FnMut(&mut Caches, Range<usize>)) {
        match self {
            Self::Pattern(machine) => machine.cut(caches, text, true, found),
            Self::Matches(machine) => machine.cut(caches, text, false, found),
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
    caches: Pool<Caches, Box<dyn Fn() -> Caches + Send + Sync>>,
}

impl Splitter {
    /// A splitter of passes that go one after the other; without any, a text is one piece.
    pub(crate) fn new(mut passes: Vec<Pass>) -> Self {
        let mut automata = Vec::new();
        for pass in &mut passes {
            match pass {
                Pass::Pattern(machine) | Pass::Matches(machine) => machine.number(&mut automata),
                Pass::Jais(jais) => jais.machine.number(&mut automata),
                Pass::Digits(_) | Pass::TrailingSpace => {}
            }
        }
        Self { passes, caches: Pool::new(Box::new(move || automata.iter().map(|dfa| dfa.create_cache()).collect())) }
    }

    /// Gives the pieces of a text to `found`, in order; none is empty.
    pub(crate) fn split(&self, text: &str, found: &mut dyn FnMut(&str)) {
        let mut caches = self.caches.get();
        cut(&self.passes, &mut caches, text, found);
    }
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
