//! Reads a pickle as data. In Python a pickle is a program: it names functions of any module and calls them. Here its
//! instructions build values of a few kinds, nothing is imported and nothing is called; a name outside a short list
//! ends the reading at once, wherever the file got it from.
//!
//! Instructions: `pickletools.py` of Python, protocols 0 to 5.

mod global;
mod machine;
mod make;
mod object;
mod operand;

pub(super) use machine::{Budget, read};
pub(super) use object::{Id, Object, Objects, Storage, View};

use crate::{Error, Result};

/// Bytes of pickles: some hundred for each tensor.
pub(super) const BYTES: u64 = 64 << 20;

/// Reads pickles that follow one another in `bytes` and says what in them could run: the first global that has no
/// part in tensors is the error. Nothing is executed.
///
/// Files of PyTorch before 1.6 begin with such a sequence; the reading ends where a pickle no longer begins.
///
/// # Errors
/// [`Error::Global`] with the name; other errors where a pickle is damaged or beyond the budgets.
pub fn scan(bytes: &[u8]) -> Result<()> {
    let mut budget = Budget::default();
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() && (first || rest[0] == 0x80 || rest[0].is_ascii_graphic()) {
        match read(rest, &mut budget) {
            Ok((_, _, length)) => rest = &rest[length..],
            Err(error @ (Error::Global { .. } | Error::Limit { .. })) => return Err(error),
            Err(error) if first => return Err(error),
            // The weights of an older file.
            Err(_) => return Ok(()),
        }
        first = false;
    }
    Ok(())
}
