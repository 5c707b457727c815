//! What must be left of a limit that `ulimit` sets. Large pieces of memory are asked for in ways that can fail, but the
//! languages' own small ones end the process where there is nothing at all.

use trillm_core::Error;
use trillm_machine::headroom;

/// Bytes for one request: a stack, and all that is small beside it.
pub(crate) const REQUEST: u64 = 16 << 20;

/// Bytes for a model's threads: their stacks, and what the C library ends the process for, their own variables.
pub(crate) const MODEL: u64 = 40 << 20;

/// Checks that there is room to begin `what`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn check(bytes: u64, what: &str) -> Result<(), Error> {
    match headroom() {
        Some(left) if left < bytes => Err(Error::OutOfMemory { what: what.into(), bytes }),
        _ => Ok(()),
    }
}
