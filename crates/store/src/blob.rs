//! What a file of the store is known by.

use crate::Digest;

/// A file of the store, named by what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What is in it.
    pub sha256: Digest,
    /// How large it is, in bytes.
    pub size: u64,
}
