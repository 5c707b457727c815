//! The part of an automaton that texts of ASCII stay in, as a table of a few states: most words are found by one load a
//! byte.

use std::collections::HashMap;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, PatternID};

/// The most states, which the patterns of tokenizers stay far below.
const LIMIT: usize = 64;

/// A state from which no match can be reached.
const DEAD: u8 = u8::MAX;

pub(super) struct Ascii {
    states: Vec<State>,
}

struct State {
    next: [u8; 0x80],
    /// The pattern of which a match ends before the byte that led here. An automaton sees it one byte later.
    matched: Option<PatternID>,
    /// The pattern of which a match ends here where the text does.
    at_end: Option<PatternID>,
}

/// What a text begins with.
pub(super) enum Found {
    /// Where a match ends, and of which pattern.
    Match(usize, PatternID),
    Nothing,
    /// A character beyond ASCII decides.
    Open,
}

impl Ascii {
    /// `None` if there are too many states.
    pub(super) fn new(dfa: &DFA) -> Option<Self> {
        let mut cache = dfa.create_cache();
        let start = dfa.start_state_forward(&mut cache, &Input::new("").anchored(Anchored::Yes)).ok()?;
        let (mut ids, mut numbers) = (vec![start], HashMap::from([(start, 0_u8)]));
        let mut states = Vec::new();
        while let Some(&id) = ids.get(states.len()) {
            let mut next = [DEAD; 0x80];
            for byte in 0..0x80 {
                let found = dfa.next_state(&mut cache, id, byte).ok()?;
                if found.is_dead() {
                    continue;
                }
                next[usize::from(byte)] = *numbers.entry(found).or_insert_with(|| {
                    ids.push(found);
                    ids.len() as u8 - 1
                });
                if ids.len() > LIMIT {
                    return None;
                }
            }
            let end = dfa.next_eoi_state(&mut cache, id).ok()?;
            states.push(State { next, matched: matched(dfa, &cache, id), at_end: matched(dfa, &cache, end) });
        }
        // A cache that was cleared would have given its numbers anew.
        (cache.clear_count() == 0).then_some(Self { states })
    }

    /// The match that begins at `at`. Adds to `read` how many bytes were read for it.
    pub(super) fn find(&self, text: &[u8], at: usize, read: &mut usize) -> Found {
        let mut state = &self.states[0];
        let mut found = Found::Nothing;
        let start = at;
        for (at, &byte) in (at..).zip(&text[at..]) {
            let next = state.next.get(usize::from(byte)).map(|&next| self.states.get(usize::from(next)));
            let Some(Some(next)) = next else {
                *read += at - start;
                return if next.is_none() { Found::Open } else { found };
            };
            state = next;
            if let Some(pattern) = state.matched {
                found = Found::Match(at, pattern);
            }
        }
        *read += text.len() - start;
        state.at_end.map_or(found, |pattern| Found::Match(text.len(), pattern))
    }
}

fn matched(dfa: &DFA, cache: &Cache, id: LazyStateID) -> Option<PatternID> {
    id.is_match().then(|| dfa.match_pattern(cache, id, 0))
}
