//! Opens files that nobody vouches for: regular ones only, and no more of them than asked for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// Opens a regular file, and says how long it is. For every path that a person gives.
///
/// # Errors
/// [`Error::Read`]; [`Error::NotAFile`] for a folder, a device or a pipe, which is not waited for.
pub fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

/// A whole small file; `None` if there is none.
pub(crate) fn small(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let (file, found) = match open(path) {
        Err(Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let over = |found| Error::Limit { what: "the file's length".into(), offset: 0, found, limit }.of(path);
    if found > limit {
        return Err(over(found));
    }
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(over(bytes.len() as u64));
    }
    Ok(Some(bytes))
}

/// The first `limit` bytes of a file, or all of a shorter one, and the file's length.
pub(crate) fn beginning(path: &Path, limit: u64) -> Result<(Vec<u8>, u64)> {
    let (file, size) = open(path)?;
    let mut bytes = Vec::new();
    let read = file.take(limit).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok((bytes, size))
}

/// How long a file is; zero if there is none.
pub(crate) fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
