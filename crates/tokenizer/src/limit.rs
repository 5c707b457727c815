//! The longest text, and how long one may become on its way to tokens: places in it are kept in 32 bits.

use trillm_core::{Error, Result, memory};

/// Bytes that a text's tokens take while it is read, for each of its own: a token is four, a list that grows has twice
/// the room, and the text is written anew.
const TOKENS: usize = 16;

/// Numbers of bytes. Fields, so that tests need no gigabytes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Of a text as it comes.
    text: usize,
    /// Of what it becomes when it is normalized: spaces are written by three bytes in many vocabularies.
    normalized: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // llama.cpp has the same limit for a text.
        Self { text: i32::MAX as usize, normalized: u32::MAX as usize - 1 }
    }
}

impl Limits {
    #[cfg(test)]
    pub(crate) fn of(text: usize, normalized: usize) -> Self {
        Self { text, normalized }
    }

    /// Checks the length of a text, and that there is memory for its tokens.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        check(text.len(), self.text, "less than 2 GiB")?;
        if text.len() < memory::LARGE {
            Ok(())
        } else {
            memory::check::<[u8; TOKENS]>(text.len(), "the tokens of a text")
        }
    }

    /// Checks a length that a text is about to have, or has.
    pub(crate) fn normalized(self, bytes: usize) -> Result<()> {
        check(bytes, self.normalized, "less than 4 GiB when it is normalized")
    }
}

fn check(bytes: usize, limit: usize, expected: &'static str) -> Result<()> {
    if bytes > limit {
        return Err(Error::InvalidParameter { name: "text", found: format!("{bytes} bytes"), expected });
    }
    Ok(())
}
