//! Runs a program on a text: it goes back and forth, on a stack of its own, and takes a time linear in the text.
//!
//! It takes a way and comes back where it fails. A text can make that go through the same places again and again, within
//! a match and from one beginning to the next, so once more steps were taken than an ordinary text needs, every place is
//! noted where a step failed: without references to earlier groups it fails there whatever came before (Davis, Servant
//! and Lee, "Using Selective Memoization to Defeat Regular Expression Denial of Service"). For what is looked at and for
//! what is not given back it is noted where they end, too.

use super::program::{Program, RunKind, Step};

/// Steps a byte that an ordinary text needs at most, and some for short ones.
const ORDINARY: (usize, usize) = (32, 4096);

/// Where to go on if the way that was taken fails. There may be some for each byte of a text, so it is small: texts have
/// less than 4 GiB.
struct Frame {
    step: u32,
    /// For a run, where it began; [`ELSEWHERE`] for a step that was not tried yet.
    low: u32,
    /// Where a run ends now, and where a step is tried.
    at: u32,
    /// Length of the way up to here.
    way: u32,
}

/// No place in a text.
const ELSEWHERE: usize = u32::MAX as usize;

impl Frame {
    fn new(step: usize, low: usize, at: usize, way: usize) -> Self {
        Self { step: step as u32, low: low as u32, at: at as u32, way: way as u32 }
    }
}

/// A step with a memory, and the places on the way at which it stood.
struct Passed {
    node: u32,
    low: u32,
    high: u32,
}

pub(super) struct Matcher<'a> {
    program: &'a Program,
    text: &'a str,
    taken: usize,
    stack: Vec<Frame>,
    way: Vec<Passed>,
    memory: Option<Memory>,
}

/// What is known of a step at a place.
enum Known {
    Nothing,
    Fails,
    Ends(usize),
}

/// What is known of every step with a memory at every place.
struct Memory {
    fails: Vec<Vec<u64>>,
    /// Ends, plus one, of what is looked at or kept.
    ends: Vec<Vec<u32>>,
    places: usize,
}

impl Memory {
    fn known(&self, node: usize, at: usize) -> Known {
        if self.fails[node].get(at / 64).is_some_and(|places| places >> (at % 64) & 1 == 1) {
            return Known::Fails;
        }
        match self.ends[node].get(at) {
            None | Some(0) => Known::Nothing,
            Some(&end) => Known::Ends(end as usize - 1),
        }
    }

    /// Notes that a step fails, which it does unless its way is taken to the end.
    fn fails(&mut self, node: usize, at: usize) {
        if self.fails[node].is_empty() {
            self.fails[node] = vec![0; self.places / 64 + 1];
        }
        self.fails[node][at / 64] |= 1 << (at % 64);
    }

    /// Takes back what was noted on the way to `end`, and notes that it leads there if that will be asked again.
    fn ends(&mut self, passed: &Passed, end: usize, is_within: bool) {
        let Passed { node, low, high } = *passed;
        let (node, low, high) = (node as usize, low as usize, high as usize);
        let fails = &mut self.fails[node];
        // Where a match ended the next begins; what is before is not come by again.
        let first = if is_within { low } else { low.max(end) };
        for at in first..=high {
            if let Some(places) = fails.get_mut(at / 64) {
                *places &= !(1 << (at % 64));
            }
        }
        if is_within {
            let ends = &mut self.ends[node];
            ends.resize(self.places + 1, 0);
            ends[low..=high].fill(end as u32 + 1);
        }
    }
}

impl<'a> Matcher<'a> {
    pub(super) fn new(program: &'a Program, text: &'a str) -> Self {
        Self { program, text, taken: 0, stack: Vec::new(), way: Vec::new(), memory: None }
    }

    /// The end of the match that begins at `at`.
    pub(super) fn end(&mut self, at: usize) -> Option<usize> {
        if let Some(first) = &self.program.first
            && !self.text.as_bytes().get(at).is_some_and(|byte| first[usize::from(*byte)])
        {
            return None;
        }
        self.run(0, at, false)
    }

    /// Where the steps up to an end lead.
    fn run(&mut self, step: usize, at: usize, is_within: bool) -> Option<usize> {
        let (base, way) = (self.stack.len(), self.way.len());
        let (mut step, mut at) = (step, at);
        let (program, text) = (self.program, self.text);
        let found = loop {
            let here = move |holds: bool| holds.then_some((step + 1, at));
            let next = match program.steps[step] {
                Step::End => break Some(at),
                Step::One(set) => program.sets[set].takes(text, at).map(|length| (step + 1, at + length)),
                Step::To(next) => Some((next, at)),
                Step::Either(first, second) => {
                    self.stack.push(Frame::new(second, ELSEWHERE, at, self.way.len()));
                    Some((first, at))
                }
                Step::Meet { node } => match self.come(node, at) {
                    Known::Ends(end) => break Some(end),
                    Known::Fails => None,
                    Known::Nothing => {
                        self.pass(node, at, at);
                        Some((step + 1, at))
                    }
                },
                Step::Run { set, node, kind } => match self.go(step, set, node, kind, at) {
                    Ok(next) => next,
                    Err(end) => break Some(end),
                },
                Step::Look { behind, wanted, next } => {
                    let from = self.behind(at, behind);
                    let found = from.is_some_and(|from| self.run(step + 1, from, true).is_some());
                    (found == wanted).then_some((next, at))
                }
                Step::Keep { next } => self.run(step + 1, at, true).map(|end| (next, end)),
                // To Oniguruma no line begins where the text ends.
                Step::LineBegins => here(at == 0 || text.as_bytes()[at - 1] == b'\n' && at < text.len()),
                Step::LineEnds => here(matches!(text.as_bytes().get(at), None | Some(b'\n'))),
                Step::TextBegins => here(at == 0),
                Step::TextEnds => here(at == text.len()),
            };
            self.count(at);
            match next {
                Some(next) => (step, at) = next,
                None => match self.back(base) {
                    Some(Ok(next)) => (step, at) = next,
                    Some(Err(end)) => break Some(end),
                    None => break None,
                },
            }
        };
        if let (Some(end), Some(memory)) = (found, &mut self.memory) {
            for passed in &self.way[way.min(self.way.len())..] {
                memory.ends(passed, end, is_within);
            }
        }
        self.stack.truncate(base);
        self.way.truncate(way);
        found
    }

    /// So many characters before a place.
    fn behind(&self, at: usize, characters: usize) -> Option<usize> {
        if characters == 0 {
            return Some(at);
        }
        self.text[..at].char_indices().rev().nth(characters - 1).map(|(at, _)| at)
    }

    /// Begins to remember once too many steps were taken.
    fn count(&mut self, at: usize) {
        self.taken += 1;
        if self.memory.is_none() && self.taken > ORDINARY.0 * at + ORDINARY.1 {
            let nodes = self.program.nodes;
            let memory =
                Memory { fails: vec![Vec::new(); nodes], ends: vec![Vec::new(); nodes], places: self.text.len() };
            self.memory = Some(memory);
        }
    }

    /// Comes by a step with a memory.
    fn come(&mut self, node: usize, at: usize) -> Known {
        let Some(memory) = &mut self.memory else { return Known::Nothing };
        let known = memory.known(node, at);
        if matches!(known, Known::Nothing) {
            memory.fails(node, at);
        }
        known
    }

    fn pass(&mut self, node: usize, low: usize, high: usize) {
        if self.memory.is_some() {
            self.way.push(Passed { node: node as u32, low: low as u32, high: high as u32 });
        }
    }

    /// Goes along a run: what is next, if anything, or where what is known of it ends.
    fn go(
        &mut self,
        step: usize,
        set: usize,
        node: usize,
        kind: RunKind,
        at: usize,
    ) -> Result<Option<(usize, usize)>, usize> {
        let (low, mut high, mut last) = (at, at, None);
        let blocked = loop {
            match self.come(node, high) {
                Known::Ends(end) => {
                    // As far as is known, it goes on as from there.
                    if let Some(last) = last {
                        self.pass(node, low, last);
                    }
                    return Err(end);
                }
                Known::Fails => break true,
                Known::Nothing => {}
            }
            last = Some(high);
            match self.program.sets[set].takes(self.text, high) {
                Some(length) if kind != RunKind::Grows => high += length,
                _ => break false,
            }
            self.count(high);
        };
        let Some(end) = last.filter(|_| !blocked || kind == RunKind::GivesBack) else { return Ok(None) };
        let way = self.way.len();
        self.pass(node, low, end);
        let gives = match kind {
            RunKind::GivesBack => end > low,
            RunKind::Keeps => false,
            RunKind::Grows => true,
        };
        if gives {
            self.stack.push(Frame::new(step, low, end, way));
        }
        Ok(Some((step + 1, end)))
    }

    /// Goes back to where another way is open: what is next, or where what is known of it ends.
    fn back(&mut self, base: usize) -> Option<Result<(usize, usize), usize>> {
        while self.stack.len() > base {
            let Frame { step, low, at, way } = self.stack.pop()?;
            let (step, low, at, way) = (step as usize, low as usize, at as usize, way as usize);
            self.way.truncate(way);
            let (Step::Run { set, node, kind }, false) = (&self.program.steps[step], low == ELSEWHERE) else {
                return Some(Ok((step, at)));
            };
            let (set, node, kind) = (*set, *node, *kind);
            if kind == RunKind::Grows {
                let Some(length) = self.program.sets[set].takes(self.text, at) else { continue };
                let next = at + length;
                match self.come(node, next) {
                    Known::Fails => continue,
                    Known::Ends(end) => {
                        self.pass(node, low, at);
                        return Some(Err(end));
                    }
                    Known::Nothing => {}
                }
                self.pass(node, low, next);
                self.stack.push(Frame::new(step, low, next, way));
                return Some(Ok((step + 1, next)));
            }
            let Some(next) = self.behind(at, 1).filter(|next| *next >= low) else { continue };
            self.pass(node, low, next);
            if next > low {
                self.stack.push(Frame::new(step, low, next, way));
            }
            return Some(Ok((step + 1, next)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Patterns that look around, keep what they took, or go through a text again and again.
    const PATTERNS: [&str; 42] = [
        r"a+b|.",
        r"\p{L}+(?=\d)|\p{L}|.",
        r"(a+)+b|(?=c)c",
        r" ?\p{L}+'s|\s*\n|\p{L}|\s",
        r"(?>\s+)|\p{L}++|\p{N}{1,2}|[^\s\p{L}\p{N}]++",
        r"(?:a|a|aa)+(?=b)|b",
        r"(?>a+b?)+c|(?>ab|a)b|.",
        r"a(?!b+c)|b(?=.*1)|(?<=a)b|(?<!b)1+|\s+$|^é",
        r"(?:a|b)*?c|(?:ab?)+?1|a*?b",
        r"\s+(?!\S)|\s+",
        r"(?:(?:a|b)+c?)+1|b",
        r"(?=(?:a+b)+1)a|(?!(?:a|ab)*c)b|1",
        r"(?<=ab|1\n)a+|(?<!a.)b+",
        r"(?i)A+b|É{1,2}|(?-i:C)",
        r"a{2,3}b|a{0,2}1|(?:ab){2}|a{2,}+c",
        r"(?>(?:a|b)+)1|(?>(?:ab)+|a)b",
        r"(?:a+b+)*c|(?:a+?b?)+?1",
        r"[a-c&&[^b]]+|\W+?a|(?s:.)",
        r"(?:a++|b)+(?=c)|a",
        r"(?=a+(?!b))a|(?=a*b)a|c(?<=c)",
        r"(?:a(?=a*b)|b(?!b*a))+|a+1",
        r"(?>(?=a*1)a|ab)+|b++1",
        r"a(?:b|1)?+1|(?:ab)*+a|b",
        r"(?:a*b)+c|(?:a*1)+?b",
        r"(?>a*?b)c|(?>a+?)1",
        r"(?:\p{L}\p{N}*(?: \p{L}\p{N}*)*)+'|\S",
        r"(?>(?:a+|b)*c)1|(?:a|b)",
        r"(?=(?>a+)b)a|(?<!(?>a))b",
        r"(?:(?=a*b)a|(?=b*a)b)*1|.",
        r"(?:a+|(?>b+)|1)*'|\n",
        r"(?<=(?=ab)a)b|(?<=\p{L}{2})1|a",
        r"(?m:^a+$)|\Aa|b\z|.",
        r"(?>a|ab)(?>c|1)|(?:aa|a)+?b",
        r"a(?=(?:b|1)*c)|b(?=(?:a|1)*?')|1",
        "a*",
        r" ?\p{L}*",
        "1|b*|a",
        "(?=a)|b+",
        "a*?(?=b)",
        r"(?<!a)|(?>a+b)?",
        r"(?<=a|b1|\n)c?|b+",
        r"(?<!a|1b|\s)(?:a|b)|$",
    ];

    fn library(pattern: &str, text: &str) -> Vec<(usize, usize)> {
        let regex = fancy_regex::Regex::new(pattern).unwrap();
        regex.find_iter(text).map(Result::unwrap).map(|found| (found.start(), found.end())).collect()
    }

    fn ours(pattern: &str, text: &str, remembers: bool) -> Vec<(usize, usize)> {
        let program = Program::new(pattern).unwrap_or_else(|| panic!("{pattern}"));
        let mut matcher = Matcher::new(&program, text);
        if remembers {
            matcher.taken = 1 << 40;
        }
        let (mut found, mut at) = (Vec::new(), 0);
        while at <= text.len() {
            let end = text.is_char_boundary(at).then(|| matcher.end(at)).flatten();
            // No match of nothing where one ended.
            match end.filter(|&end| end > at || found.last().is_none_or(|&(_, last)| last != at)) {
                Some(end) => {
                    found.push((at, end));
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn matches_are_those_of_the_library(
            pattern in prop::sample::select(&PATTERNS[..]),
            text in "[aab1 \nc'é中]{0,14}",
        ) {
            let expected = library(pattern, &text);
            prop_assert_eq!(ours(pattern, &text, false), &expected[..], "{}", pattern);
            prop_assert_eq!(ours(pattern, &text, true), &expected[..], "{}, remembering", pattern);
        }
    }

    #[test]
    fn a_run_takes_linear_time_whatever_the_pattern() {
        for pattern in PATTERNS {
            let program = Program::new(pattern).unwrap();
            for unit in ["a", "b", " ", "ab", "é", "a1", "\n"] {
                let text = unit.repeat(20_000);
                let mut matcher = Matcher::new(&program, &text);
                let mut at = 0;
                while at < text.len() {
                    let end = text.is_char_boundary(at).then(|| matcher.end(at)).flatten();
                    at = end.filter(|&end| end > at).unwrap_or(at + 1);
                }
                assert!(matcher.taken < 100 * text.len() + ORDINARY.1, "{pattern}, {unit:?}: {}", matcher.taken);
            }
        }
    }

    #[test]
    fn what_no_program_does_is_left() {
        for pattern in [r"(a)\1", "(?:a*)*b", r"(?<=a+)b", "((((a{1000}){1000}){1000}){1000})(?=b)", "(a"] {
            assert!(Program::new(pattern).is_none(), "{pattern}");
        }
    }
}
