//! Cuts a text into the words that byte-pair encoding works on, in time linear in the text and on any stack.
//!
//! Models say how by regular expressions. Engines of the backtracking kind run them by recursion, or in time that a text
//! can make quadratic: a run of 27,000 equals signs ended a process. Here each is one automaton that reads every byte
//! a few times at most. What an automaton cannot do, looking ahead, is a case of its own: see [`machine`] for spaces
//! and [`digits`] for groups of digits. What else a file's own pattern has is a program ([`program`], [`matcher`]).

mod ascii;
mod caches;
mod classes;
mod digits;
mod jais;
mod machine;
mod matcher;
mod merging;
mod pass;
mod pattern;
mod program;
mod rules;
mod set;
mod size;

use regex_automata::util::pool::Pool;

use self::caches::{Caches, MakeCaches, caches_of};
use self::pattern::Pattern;

pub(crate) use self::classes::{Class, Classes};
pub(crate) use self::merging::Neighbour;
pub(crate) use self::pass::Pass;
pub(crate) use self::rules::passes;
pub(crate) use self::size::size;

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
                Pass::Pattern(pattern) | Pass::Matches(pattern) | Pass::Between(pattern) | Pass::Merged(pattern, _) => {
                    pattern.number(&mut automata);
                }
                Pass::Jais(jais) => jais.machine.number(&mut automata),
                Pass::Digits(_) | Pass::Fixed(_) | Pass::TrailingSpace | Pass::Classes(_) => {}
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
    pattern: Pattern,
    caches: Pool<Caches, MakeCaches>,
    content: String,
}

impl Replacer {
    /// `None` if the pattern is left to the library.
    pub(crate) fn new(pattern: &str, content: String) -> Option<Self> {
        let (mut pattern, mut automata) = (Pattern::new(pattern)?, Vec::new());
        pattern.number(&mut automata);
        let caches = Pool::new(caches_of(automata));
        Some(Self { pattern, caches, content })
    }

    pub(crate) fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.pattern.cut(&mut self.caches.get(), text, |_, piece, matches| {
            out.push_str(if matches { &self.content } else { &text[piece] });
        });
        out
    }
}

fn cut(passes: &[Pass], caches: &mut Caches, text: &str, found: &mut dyn FnMut(&str)) {
    match passes.split_first() {
        None if text.is_empty() => {}
        None => found(text),
        Some((pass, rest)) => {
            pass.cut(caches, text, &mut |caches, piece| {
                if !piece.is_empty() {
                    cut(rest, caches, &text[piece], found);
                }
            });
        }
    }
}
