//! Memory that lacks for a long word of a text: the word is left out, and the text is an error in the end.

use trillm_core::{Error, Result, memory};

/// Bytes that the parts of a word take while they are put together, for each of its own: symbols and links of merging,
/// the queues in which they wait, or the best way up to each place.
const PARTS: usize = 40;

/// Why a word was left out, if one was.
#[derive(Default)]
pub(crate) struct Shortage(Option<Error>);

impl Shortage {
    /// Whether there is memory for the parts of a word. If not, it is to be left out.
    pub(crate) fn spares(&mut self, word: &str) -> bool {
        if word.len() >= memory::LARGE && self.0.is_none() {
            self.0 = memory::check::<[u8; PARTS]>(word.len(), "a long word of a text").err();
        }
        self.0.is_none()
    }

    /// Whether all words became tokens.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn outcome(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), Err)
    }
}
