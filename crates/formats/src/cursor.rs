//! Reads little-endian values from bytes that nobody vouches for.

use std::fmt::Display;

use crate::{Error, Result};

/// A position in the first bytes of a file.
///
/// The bytes may be fewer than the file has, so there are two ways to run out: the file ends
/// ([`Error::Truncated`]), or only what was handed over does ([`Error::Incomplete`]) and the caller can read on.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    file_size: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], file_size: u64) -> Self {
        Self { bytes, at: 0, file_size }
    }

    /// Bytes consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Bytes between here and the end of the file.
    pub(crate) fn remaining(&self) -> u64 {
        self.file_size.saturating_sub(self.at as u64)
    }

    /// The next `len` bytes; `what` names them in the error.
    pub(crate) fn take(&mut self, len: u64, what: impl Display) -> Result<&'a [u8]> {
        let needed = self.offset().saturating_add(len);
        if needed > self.file_size {
            return Err(Error::Truncated { what: what.to_string(), needed, size: self.file_size });
        }
        let end = usize::try_from(needed).ok();
        let Some((end, slice)) = end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) else {
            return Err(Error::Incomplete { needed, given: self.bytes.len() as u64 });
        };
        self.at = end;
        Ok(slice)
    }

    /// The next `N` bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self, what: impl Display) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, what: impl Display) -> Result<u8> {
        self.array(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: impl Display) -> Result<u16> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: impl Display) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: impl Display) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A 64-bit length of at most `limit`, then that many bytes.
    pub(crate) fn string(&mut self, limit: u64, what: impl Display) -> Result<&'a [u8]> {
        let offset = self.offset();
        let len = self.u64(&what)?;
        if len > limit {
            return Err(Error::Limit { what: format!("the length of {what}"), offset, found: len, limit });
        }
        self.take(len, what)
    }

    /// The bytes up to the next line feed, which is taken too; `None` if there is none within `limit` bytes.
    pub(crate) fn line(&mut self, limit: u64) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let rest = rest.get(..usize::try_from(limit).ok()?).unwrap_or(rest);
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += length + 1;
        rest.get(..length)
    }
}
