//! Room that is used again from word to word of one text.

use trillm_core::Token;

use crate::barred::bars;
use crate::merge::{Room, Symbol};
use crate::recent::Recent;
use crate::shortage::Shortage;
use crate::unigram;

#[derive(Default)]
pub(crate) struct Scratch<'a> {
    /// Tokens that words do not become where they have another way, sorted.
    pub(crate) barred: &'a [Token],
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) room: Room,
    pub(crate) recent: Recent,
    pub(crate) unigram: unigram::Room,
    /// A word in GPT-2's alphabet.
    pub(crate) spelled: String,
    pub(crate) shortage: Shortage,
}

impl<'a> Scratch<'a> {
    pub(crate) fn new(barred: &'a [Token]) -> Self {
        Self { barred, ..Self::default() }
    }

    pub(crate) fn bars(&self, id: u32) -> bool {
        bars(self.barred, id)
    }
}
