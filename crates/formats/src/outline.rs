//! Outlines: files of which no more is here than their header, so that what they are can be read before they are fetched.
//!
//! An outline is as long as its file, empty behind the header, and says at its very end that it is one: the few who need a
//! weight (`same.rs`) must not take what is missing for zeros. How much of a file its header is, [`beginning`] says, by the
//! readers of its format.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::detect::{Format, detect};
use crate::gguf::{self, Gguf};
use crate::safetensors::{self, Safetensors};
use crate::{Error, Result};

/// What an outline ends with.
const MARK: &[u8; 32] = b"\0trillm: only a header is here\0\0";

/// What the beginning of a file says of the length of its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// So many bytes from the first on, all of the file perhaps, are what is read of it before its weights are.
    Header(u64),
    /// So many bytes are to be looked at, at least, before more can be said.
    More(u64),
    /// What is read of it does not lie at its beginning alone: so it is with PyTorch checkpoints and with graphs.
    Elsewhere,
}

/// Looks at the first bytes of a file that has `size` of them.
///
/// # Errors
/// What is wrong with the header.
pub fn beginning(bytes: &[u8], size: u64) -> Result<Beginning> {
    let end = match detect(bytes) {
        Some(Format::Gguf) => match Gguf::parse(bytes, size) {
            Err(Error::Incomplete { needed, given }) => return gguf::grown(needed, given).map(Beginning::More),
            parsed => parsed?.data_offset(),
        },
        Some(Format::Safetensors) => match Safetensors::parse(bytes, size) {
            Err(Error::Incomplete { needed, .. }) => return Ok(Beginning::More(needed)),
            parsed => parsed.map(|_| safetensors::header_bytes(bytes))?,
        },
        Some(Format::Zip) | None => return Ok(Beginning::Elsewhere),
    };
    // There must be room to say that it is an outline.
    let has_room = end.saturating_add(MARK.len() as u64) <= size;
    Ok(Beginning::Header(if has_room { end } else { size }))
}

/// Writes an outline to `path`, where nothing is yet, of a file of `size` bytes that begins with `header`: no more of the
/// disk is taken than that. A header that is the whole file gives the file.
///
/// # Errors
/// If it cannot be written; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no room for the mark.
pub fn write(path: &Path, header: &[u8], size: u64) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(header)?;
    if header.len() as u64 == size {
        return Ok(());
    }
    let at = size.checked_sub(MARK.len() as u64).filter(|at| *at >= header.len() as u64);
    let at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no room behind the header"))?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(MARK)
}

/// Whether an open file of `size` bytes is an outline. It may be read from anywhere after that.
pub(crate) fn is(file: &mut File, size: u64) -> io::Result<bool> {
    let Some(at) = size.checked_sub(MARK.len() as u64) else { return Ok(false) };
    file.seek(SeekFrom::Start(at))?;
    let mut end = [0; MARK.len()];
    file.read_exact(&mut end)?;
    Ok(end == *MARK)
}
