//! One pattern as an automaton.
//!
//! Of all look-ahead in patterns of tokenizers, nearly all is the alternative `\s+(?!\S)`: spaces, but for the last one
//! before a word. It is `\s+`, whose match is shortened by one afterwards; where only one space is there, the
//! alternatives behind it are tried. This is what a backtracking engine does, too.

use std::sync::Arc;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::{Anchored, Input, MatchKind, PatternID};

use super::ascii::{Ascii, Found};
use super::caches::Caches;

/// Patterns that say "take and never give back" where giving back could not help, and what they are without.
const POSSESSIVE: [(&str, &str); 3] = [
    (r"[^\r\n\p{L}\p{N}]?+\p{L}+", r"[^\r\n\p{L}\p{N}]?\p{L}+"),
    (r" ?[^\s\p{L}\p{N}]++[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n]*"),
    (r" ?[^\s\p{L}\p{N}]++[\r\n]+", r" ?[^\s\p{L}\p{N}]+[\r\n]+"),
];

/// The alternative that looks ahead.
const SPACES: &str = r"\s+(?!\S)";

/// An automaton for a pattern, and one for the alternatives behind the one that looks ahead.
pub(crate) struct Machine {
    dfa: Arc<DFA>,
    ascii: Option<Ascii>,
    /// Its number among the caches.
    number: usize,
    /// The pattern among those of the automaton whose match is shortened.
    looks_ahead: Option<PatternID>,
    rest: Option<Box<Machine>>,
    /// Bytes that a match may begin with.
    first: Box<[bool; 256]>,
}

impl Machine {
    /// `None` if the pattern looks around otherwise, refers back, matches at nothing, or is too large.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        Self::of(&alternatives(pattern)?)
    }

    fn of(alternatives: &[&str]) -> Option<Self> {
        let at = alternatives.iter().position(|alternative| *alternative == SPACES);
        let (before, rest) = alternatives.split_at(at.unwrap_or(alternatives.len()));
        let mut patterns: Vec<String> = Vec::new();
        if !before.is_empty() {
            patterns.push(before.iter().map(|alternative| regular(alternative)).collect::<Option<Vec<_>>>()?.join("|"));
        }
        let mut looks_ahead = None;
        let mut behind = None;
        if let Some((_, rest)) = rest.split_first() {
            looks_ahead = PatternID::new(patterns.len()).ok();
            patterns.push(r"\s+".into());
            if !rest.is_empty() {
                behind = Some(Box::new(Self::of(rest)?));
            }
        }
        let dfa = build(&patterns)?;
        let mut first = Box::new([false; 256]);
        let mut cache = dfa.create_cache();
        let nothing = Input::new("").anchored(Anchored::Yes);
        if dfa.try_search_fwd(&mut cache, &nothing).ok()?.is_some() {
            return None;
        }
        let start = dfa.start_state_forward(&mut cache, &nothing).ok()?;
        for byte in 0..=u8::MAX {
            let next = dfa.next_state(&mut cache, start, byte).ok()?;
            first[usize::from(byte)] =
                !next.is_dead() || behind.as_ref().is_some_and(|rest| rest.first[usize::from(byte)]);
        }
        Some(Self { ascii: Ascii::new(&dfa), dfa: Arc::new(dfa), number: 0, looks_ahead, rest: behind, first })
    }

    /// Gives the automata their numbers, and appends them in this order.
    pub(super) fn number(&mut self, automata: &mut Vec<Arc<DFA>>) {
        self.number = automata.len();
        automata.push(self.dfa.clone());
        if let Some(rest) = &mut self.rest {
            rest.number(automata);
        }
    }

    /// The end of the match that begins at `at`. Adds to `read` how many bytes were read for it.
    pub(super) fn end(&self, caches: &mut Caches, text: &str, at: usize, read: &mut usize) -> Option<usize> {
        if !self.first[usize::from(text.as_bytes()[at])] {
            return None;
        }
        let found = match self.ascii.as_ref().map(|ascii| ascii.find(text.as_bytes(), at, read)) {
            Some(Found::Match(end, pattern)) => Some((end, pattern)),
            Some(Found::Nothing) => None,
            Some(Found::Open) | None => {
                let input = Input::new(text).range(at..).anchored(Anchored::Yes);
                let cache = &mut caches[self.number];
                let before = cache.search_total_len();
                let found = self.dfa.try_search_fwd(cache, &input).ok().flatten();
                // A cache that was cleared meanwhile counts anew.
                *read += cache.search_total_len().saturating_sub(before);
                found.map(|found| (found.offset(), found.pattern()))
            }
        };
        let end = match found {
            Some((end, pattern)) if Some(pattern) == self.looks_ahead && end < text.len() => {
                Some(end - text[at..end].chars().next_back().map_or(0, char::len_utf8))
            }
            found => found.map(|(end, _)| end),
        };
        let end = end.filter(|&end| end > at);
        end.or_else(|| self.rest.as_ref()?.end(caches, text, at, read))
    }
}

fn build(patterns: &[String]) -> Option<DFA> {
    let config = DFA::config().match_kind(MatchKind::LeftmostFirst).skip_cache_capacity_check(true);
    let nfa = regex_automata::nfa::thompson::Config::new().nfa_size_limit(Some(16 << 20));
    DFA::builder().configure(config).thompson(nfa).build_many(patterns).ok()
}

/// The alternatives of a pattern at its outermost level. `None` if its brackets do not match.
fn alternatives(pattern: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let (mut depth, mut class, mut start) = (0_u32, 0_u32, 0);
    let mut bytes = pattern.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()?),
            b'[' => class += 1,
            b']' => class = class.saturating_sub(1),
            b'(' if class == 0 => depth += 1,
            b')' if class == 0 => depth = depth.checked_sub(1)?,
            b'|' if class == 0 && depth == 0 => {
                found.push(&pattern[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&pattern[start..]);
    (depth == 0 && class == 0).then_some(found)
}

/// An alternative without anything that the automaton's syntax reads in another way than a backtracking engine's.
fn regular(alternative: &str) -> Option<String> {
    let plain = POSSESSIVE.iter().find(|(possessive, _)| alternative == *possessive);
    let alternative = plain.map_or(alternative, |(_, plain)| plain);
    // The alternative with a letter for each escape and for each class.
    let (mut shape, mut class) = (String::new(), 0_u32);
    let mut characters = alternative.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                match characters.next()? {
                    'p' | 'P' if characters.as_str().starts_with('{') => {
                        characters.by_ref().find(|&character| character == '}')?;
                    }
                    // Places, earlier groups, and letters that mean different things to different engines.
                    'b' | 'B' | 'A' | 'z' | 'Z' | 'G' | 'K' | 'k' | 'g' | 'h' | 'H' | 'R' | 'X' | '0'..='9' => {
                        return None;
                    }
                    _ => {}
                }
                shape.push('e');
            }
            '[' => class += 1,
            ']' => {
                class = class.checked_sub(1)?;
                shape.push('c');
            }
            _ if class > 0 => {}
            _ => shape.push(character),
        }
    }
    let around = ["(?=", "(?!", "(?<", "(?>", "(?P", "(?(", "?+", "*+", "++", "}+", "$", "^"];
    (!around.iter().any(|part| shape.contains(part))).then(|| alternative.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{Pass, Splitter};

    fn split(pattern: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let splitter = Splitter::new(vec![Pass::pattern(pattern).unwrap()]);
        splitter.split(text, &mut |piece| found.push(piece.to_owned()));
        found
    }

    const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    #[test]
    fn all_but_the_last_space_before_a_word() {
        assert_eq!(split(GPT2, "a   b"), ["a", "  ", " b"]);
        assert_eq!(split(GPT2, "a\u{a0}b\u{3000}\u{3000}c  "), ["a", "\u{a0}", "b", "\u{3000}", "\u{3000}", "c", "  "]);
        assert_eq!(split(GPT2, "we've\n\n!"), ["we", "'ve", "\n", "\n", "!"]);
    }

    #[test]
    fn what_lies_between_matches_is_a_piece() {
        assert_eq!(split(r"\p{N}", "ab12é3"), ["ab", "1", "2", "é", "3"]);
        assert_eq!(split(r"\s?\p{P}+", "a !b\u{1f600}"), ["a", " !", "b\u{1f600}"]);
    }

    #[test]
    fn alternatives_are_those_outside_of_brackets() {
        assert_eq!(alternatives(r"(a|b)|[|\]|]|\|c").unwrap(), ["(a|b)", r"[|\]|]", r"\|c"]);
        assert!(alternatives("a)").is_none() && alternatives("(a").is_none());
    }

    #[test]
    fn what_an_automaton_cannot_do_is_not_taken() {
        for pattern in [r"a(?=b)", r"(a)\1", r"a++b", r"\bword", "^a", r"(?<=a)b", "(?>ab)", r"a+(?!\S)", "a*", "b|c?"]
        {
            assert!(Machine::new(pattern).is_none(), "{pattern}");
        }
    }
}
