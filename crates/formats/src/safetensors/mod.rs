//! safetensors: the length of a JSON header, the header, the weights.
//!
//! Format: <https://github.com/huggingface/safetensors>. The header is read and checked whole; the weights never are.

mod header;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, Tensor};

/// The header of a safetensors file, found sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Safetensors {
    /// The tensors by name. Together they cover the file from the end of the header to its last byte, without overlap.
    /// Their `file` is 0.
    pub tensors: BTreeMap<String, Tensor>,
    /// `__metadata__`: texts that the writer left.
    pub metadata: BTreeMap<String, String>,
}

impl Safetensors {
    /// Reads the header of a file of `file_size` bytes from `bytes`, the file's beginning.
    ///
    /// # Errors
    /// [`Incomplete`](Error::Incomplete) if the header is longer than `bytes` and the file is not; any other error says
    /// what is wrong with the file.
    pub fn parse(bytes: &[u8], file_size: u64) -> Result<Self> {
        let (tensors, metadata) = header::read(bytes, file_size)?;
        Ok(Self { tensors, metadata })
    }

    /// Reads the header of the open file at `path`, of `size` bytes.
    ///
    /// # Errors
    /// What is wrong with the file, which the error names.
    pub fn read(file: &mut impl Read, size: u64, path: &Path) -> Result<Self> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        file.by_ref().take(8).read_to_end(&mut bytes).map_err(failed)?;
        // What `parse` asks for: the length alone, then the whole header.
        if let Err(Error::Incomplete { needed, .. }) = Self::parse(&bytes, size) {
            file.take(needed - bytes.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
        }
        match Self::parse(&bytes, size) {
            Ok(parsed) => Ok(parsed),
            Err(Error::Incomplete { needed, given }) => {
                let what = "the header (the file shrank while it was read)".into();
                Err(Error::Truncated { what, needed, size: given }.of(path))
            }
            Err(error) => Err(error.of(path)),
        }
    }
}

/// Bytes of the header, its length included, of a file whose header [`parse`](Safetensors::parse) found sound.
pub(crate) fn header_bytes(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length).saturating_add(8))
}

/// Whether a file that begins with `bytes` is one: a length in reach of the format's limit, then a JSON object.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length <= header::BYTES) && bytes.get(8) == Some(&b'{')
}
