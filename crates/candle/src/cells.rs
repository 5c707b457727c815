//! Room for the numbers in the key-value cache, [`trillm_kernels::Cells`]; who holds which pages of it is in `pages.rs`.

use trillm_core::{Error, Result};
use trillm_kernels::{Cells, Heads};

/// Room for `pages` pages of one layer.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn cells(heads: Heads, pages: usize, half: bool) -> Result<Cells> {
    Cells::new(heads, pages, half).ok_or_else(|| {
        let bytes = (pages as u64).saturating_mul(Cells::page_bytes(heads, half) as u64);
        Error::OutOfMemory { what: "the keys and values of one layer".into(), bytes }
    })
}
