//! What a source announced about a file, and whether the bytes keep to it.

use std::{fmt, str::FromStr};

use crate::{Digest, Error, Result, digest::hexadecimal};

/// What the bytes of a file must be. Where a source announces nothing, the transport is all there is to trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The SHA-256 of the content.
    pub sha256: Option<Digest>,
    /// The name that git gives to the content.
    pub git: Option<GitId>,
}

/// The SHA-1 of `blob`, a space, the length in decimal, a NUL and the content: git's name for a file. Hubs give it
/// where a file is not in large-file storage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GitId([u8; 20]);

/// What a whole file is.
pub(crate) struct Sums {
    pub(crate) sha256: Digest,
    /// Taken only where it is expected.
    pub(crate) git: Option<GitId>,
}

impl GitId {
    pub(crate) fn new(sha1: [u8; 20]) -> Self {
        Self(sha1)
    }
}

impl Expected {
    /// Only this digest.
    pub fn sha256(digest: Digest) -> Self {
        Self { sha256: Some(digest), git: None }
    }

    /// Refuses a file that is not what was announced. `what` names it.
    pub(crate) fn check(&self, what: &str, found: &Sums) -> Result<()> {
        let mismatch = |expected: String, found: String| Error::DigestMismatch { what: what.into(), expected, found };
        if let Some(sha256) = self.sha256.filter(|sha256| *sha256 != found.sha256) {
            return Err(mismatch(format!("sha256 {sha256}"), format!("{}", found.sha256)));
        }
        match (self.git, found.git) {
            (Some(git), found) if found != Some(git) => {
                Err(mismatch(format!("git id {git}"), found.map_or("none".into(), |found| found.to_string())))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitId({self})")
    }
}

impl FromStr for GitId {
    type Err = Error;

    /// Reads 40 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self> {
        hexadecimal(text).map(Self).ok_or_else(|| Error::InvalidDigest { text: text.chars().take(80).collect() })
    }
}
