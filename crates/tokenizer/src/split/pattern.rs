//! A pattern, in the way that takes the least time: an automaton, or a program where that cannot be.
//!
//! An automaton reads a text once where matches follow one another. Where it reads on to the end for a match that does
//! not come, and again from the next character, a program goes on, which remembers.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex_automata::hybrid::dfa::DFA;

use super::caches::Caches;
use super::machine::Machine;
use super::matcher::Matcher;
use super::program::Program;

/// Bytes that an automaton may read for each byte of a text, and some for short ones.
const ORDINARY: (usize, usize) = (8, 1 << 14);

pub(crate) struct Pattern {
    machine: Option<Machine>,
    source: Box<str>,
    /// `None` where the pattern is none for a program.
    program: OnceLock<Option<Box<Program>>>,
}

impl Pattern {
    /// `None` if the pattern refers back, looks back at what has no length of its own, or is too large.
    pub(crate) fn new(source: &str) -> Option<Self> {
        let found = Self { machine: Machine::new(source), source: source.into(), program: OnceLock::new() };
        (found.machine.is_some() || found.program().is_some()).then_some(found)
    }

    fn program(&self) -> Option<&Program> {
        self.program.get_or_init(|| Program::new(&self.source).map(Box::new)).as_deref()
    }

    /// Gives its automata their numbers, and appends them in this order.
    pub(super) fn number(&mut self, automata: &mut Vec<Arc<DFA>>) {
        if let Some(machine) = &mut self.machine {
            machine.number(automata);
        }
    }

    /// Gives matches and what lies between them to `found`, in order, and which of the two each is. A match of nothing
    /// is one where none ended; an empty text has none.
    pub(super) fn cut(&self, caches: &mut Caches, text: &str, mut found: impl FnMut(&mut Caches, Range<usize>, bool)) {
        let bytes = text.as_bytes();
        let (mut at, mut gap, mut read) = (0, 0, 0);
        let (mut matcher, mut last) = (None, None);
        // Only a match of nothing is there at the end.
        while at < bytes.len() || at == bytes.len() && gap < at && self.machine.is_none() {
            // The program may be there only because the automaton is not.
            if matcher.is_none() && (self.machine.is_none() || read > ORDINARY.0 * at + ORDINARY.1) {
                matcher = self.program().map(|program| Matcher::new(program, text));
                read = 0;
            }
            let end = match (&mut matcher, &self.machine) {
                (Some(matcher), _) => matcher.end(at),
                (None, Some(machine)) => machine.end(caches, text, at, &mut read),
                (None, None) => None,
            };
            let Some(end) = end.filter(|&end| end > at || last != Some(at)) else {
                at += 1;
                while at < bytes.len() && !text.is_char_boundary(at) {
                    at += 1;
                }
                continue;
            };
            if gap < at {
                found(caches, gap..at, false);
            }
            found(caches, at..end, true);
            (at, gap, last) = (end, end, Some(end));
        }
        if gap < bytes.len() {
            found(caches, gap..bytes.len(), false);
        }
    }
}
