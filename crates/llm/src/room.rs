//! What must be left of a limit that `ulimit` sets. Large pieces of memory are asked for in ways that can fail, but the
//! languages' own small ones end the process where there is nothing at all.

use trillm_core::Error;
use trillm_machine::headroom;

/// Bytes: the stacks of a few threads, and all that is small beside one request.
const LEAST: u64 = 16 << 20;

/// Checks that there is room to begin something.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn check(what: &str) -> Result<(), Error> {
    match headroom() {
        Some(left) if left < LEAST => Err(Error::OutOfMemory { what: what.into(), bytes: LEAST }),
        _ => Ok(()),
    }
}
