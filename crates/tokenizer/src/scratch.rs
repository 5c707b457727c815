//! Room that is used again from word to word of one text.

use crate::merge::{Room, Symbol};
use crate::recent::Recent;
use crate::shortage::Shortage;
use crate::unigram;

#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) room: Room,
    pub(crate) recent: Recent,
    pub(crate) unigram: unigram::Room,
    /// A word in GPT-2's alphabet.
    pub(crate) spelled: String,
    pub(crate) shortage: Shortage,
}
