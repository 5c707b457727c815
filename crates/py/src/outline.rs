//! Files of which the header alone is fetched, for plans of what is not here.

use std::path::PathBuf;

use pyo3::prelude::*;
use trillm::outline::{self, Beginning};

use crate::enter::{enter, outside};

/// How many bytes of a file's beginning its header takes, and whether that is all of it or so many are to be looked at
/// before more can be said; `None` for a file that is not read at its beginning alone. `beginning` is what is there of
/// its `size` bytes.
#[pyfunction]
pub(crate) fn header_bytes(py: Python<'_>, beginning: &[u8], size: u64) -> PyResult<Option<(u64, bool)>> {
    let found = enter(py, || outline::beginning(beginning, size))?;
    Ok(match found {
        Beginning::Header(end) => Some((end, true)),
        Beginning::More(needed) => Some((needed, false)),
        Beginning::Elsewhere => None,
    })
}

/// Writes an outline: a file of `size` bytes that begins with `header`, and of which no more is there.
#[pyfunction]
pub(crate) fn write_outline(py: Python<'_>, path: PathBuf, header: &[u8], size: u64) -> PyResult<()> {
    Ok(outside(py, || outline::write(&path, header, size))??)
}
