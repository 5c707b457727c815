//! The longest text. Places in a text are kept in 32 bits, and a text may become longer on its way to tokens.

use trillm_core::{Error, Result};

/// Bytes; llama.cpp has the same limit.
const LONGEST: usize = i32::MAX as usize;

pub(crate) fn check(text: &str) -> Result<()> {
    let found = text.len();
    if found > LONGEST {
        return Err(Error::InvalidParameter {
            name: "text",
            found: format!("{found} bytes"),
            expected: "less than 2 GiB",
        });
    }
    Ok(())
}
