//! Room that is used again from word to word of one text.

use trillm_core::{Error, Result, memory};

use crate::limit::LARGE;
use crate::merge::{Room, Symbol};
use crate::recent::Recent;
use crate::unigram;

/// Bytes that the parts of a word take while they are put together, for each of its own: symbols and links of merging,
/// the queues in which they wait, or the best way up to each place.
const PARTS: usize = 40;

#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) room: Room,
    pub(crate) recent: Recent,
    pub(crate) unigram: unigram::Room,
    /// A word in GPT-2's alphabet.
    pub(crate) spelled: String,
    /// Why a word was left out, if one was.
    missing: Option<Error>,
}

impl Scratch {
    /// Whether there is memory for the parts of a word. If not, it is to be left out, and [`outcome`](Self::outcome)
    /// says so.
    pub(crate) fn has_room(&mut self, word: &str) -> bool {
        if word.len() >= LARGE && self.missing.is_none() {
            self.missing = memory::check::<[u8; PARTS]>(word.len(), "a long word of a text").err();
        }
        self.missing.is_none()
    }

    /// Whether all words became tokens.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn outcome(&mut self) -> Result<()> {
        self.missing.take().map_or(Ok(()), Err)
    }
}
