//! What automata remember of the states they met.

use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};

/// One for each automaton, by its number.
pub(super) type Caches = Vec<Cache>;

pub(super) type MakeCaches = Box<dyn Fn() -> Caches + Send + Sync>;

pub(super) fn caches_of(automata: Vec<Arc<DFA>>) -> MakeCaches {
    Box::new(move || automata.iter().map(|dfa| dfa.create_cache()).collect())
}
