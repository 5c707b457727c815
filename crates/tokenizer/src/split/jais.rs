//! Runs of spaces as Jais 2 cuts them: 512, 256, … 4, or 1 to 2 spaces, but for the last one before a word.
//!
//! Its pattern lists them behind others that read a whole run to find nothing, again for every 512 spaces. So a run is
//! read once here.

use std::ops::Range;

use super::caches::Caches;
use super::machine::Machine;

pub(crate) struct Jais {
    /// The alternatives that come before those of spaces.
    pub(super) machine: Machine,
}

impl Jais {
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        Some(Self { machine: Machine::new(pattern)? })
    }

    pub(super) fn cut(&self, caches: &mut Caches, text: &str, found: &mut dyn FnMut(&mut Caches, Range<usize>)) {
        let (mut at, mut gap) = (0, 0);
        while let Some(character) = text[at..].chars().next() {
            let end = self.machine.end(caches, text, at, &mut 0);
            if end.is_none() && !character.is_whitespace() {
                at += character.len_utf8();
                continue;
            }
            if gap < at {
                found(caches, gap..at);
            }
            if let Some(end) = end {
                found(caches, at..end);
                at = end;
            } else {
                // There is no line break in the run, or the machine would have taken all up to it.
                let rest = &text[at..];
                let run = &rest[..rest.len() - rest.trim_start().len()];
                let kept = usize::from(run.len() != rest.len());
                let mut left = run.chars().count() - kept;
                let mut characters = run.chars();
                while left > 0 {
                    let take = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1].into_iter().find(|&n| n <= left).unwrap_or(1);
                    let bytes: usize = characters.by_ref().take(take).map(char::len_utf8).sum();
                    found(caches, at..at + bytes);
                    (at, left) = (at + bytes, left - take);
                }
                if let Some(last) = characters.next() {
                    // A word takes it, if it may.
                    let end = self.machine.end(caches, text, at, &mut 0).unwrap_or(at + last.len_utf8());
                    found(caches, at..end);
                    at = end;
                }
            }
            gap = at;
        }
        if gap < at {
            found(caches, gap..at);
        }
    }
}
