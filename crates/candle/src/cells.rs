//! The key-value cache: pages of positions, and who holds them. The numbers in them are [`trillm_kernels::Cells`].

mod pages;

use trillm_core::{Error, Result};
use trillm_kernels::{Cells, Heads};

pub(crate) use pages::Pages;

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
