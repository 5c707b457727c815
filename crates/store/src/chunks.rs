//! Hashes of a file: of the whole, for what it is; of each chunk, for where damage lies.

use std::{fmt, fs::File, io, ops::Range};

use sha1::{Digest as _, Sha1};
use xxhash_rust::xxh3::Xxh3Default;

use crate::{Expected, GitId, checksum::Sums, digest::Hasher, files};

/// Bytes in a chunk; the last one of a file may be shorter. What a killed download loses of each connection.
pub const CHUNK: u64 = 4 << 20;

/// Reads a file to its end: what it is, and the hash of each chunk.
pub(crate) fn measure(file: &mut File, expected: &Expected) -> io::Result<(Sums, Vec<u64>)> {
    let size = file.metadata()?.len();
    let (mut whole, mut chunks, mut hashes) = (Whole::new(expected, Some(size)), Chunks::default(), Vec::new());
    files::each_piece(file, |piece| {
        whole.update(piece);
        chunks.update(piece, |hash| hashes.push(hash));
    })?;
    hashes.extend(chunks.rest());
    Ok((whole.finish(), hashes))
}

/// Where a chunk of a file of this size lies.
pub(crate) fn range(index: usize, size: u64) -> Range<u64> {
    let start = index as u64 * CHUNK;
    start..(start + CHUNK).min(size)
}

/// How many chunks a file of this size has.
pub(crate) fn count(size: u64) -> usize {
    size.div_ceil(CHUNK) as usize
}

/// The chunks of these indices, in order, as ranges that do not touch.
pub(crate) fn ranges(indices: impl Iterator<Item = usize>, size: u64) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::new();
    for next in indices.map(|index| range(index, size)) {
        match merged.last_mut() {
            Some(last) if last.end == next.start => last.end = next.end,
            _ => merged.push(next),
        }
    }
    merged
}

/// Hashes of a whole file, taken in order.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    sha256: Hasher,
    git: Option<Sha1>,
    position: u64,
}

impl Whole {
    /// The size is part of git's name for a file, so that needs it beforehand.
    pub(crate) fn new(expected: &Expected, size: Option<u64>) -> Self {
        let git = expected.git.and(size).map(|size| Sha1::new_with_prefix(format!("blob {size}\0")));
        Self { sha256: Hasher::default(), git, position: 0 }
    }

    /// How many bytes went in.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(git) = &mut self.git {
            git.update(bytes);
        }
        self.position += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Sums {
        Sums { sha256: self.sha256.finish(), git: self.git.map(|git| GitId::new(git.finalize().into())) }
    }
}

/// Hashes of a file's chunks, taken in order from the start of one.
#[derive(Default)]
pub(crate) struct Chunks {
    /// Boxed, because it asks to lie at a multiple of 64 bytes, which objects of Python do not give to what is in them.
    hasher: Box<Xxh3Default>,
    filled: u64,
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("filled", &self.filled).finish_non_exhaustive()
    }
}

impl Chunks {
    /// Calls `done` with the hash of each chunk that these bytes complete, and how many of them that took.
    pub(crate) fn update(&mut self, mut bytes: &[u8], mut done: impl FnMut(u64)) {
        while !bytes.is_empty() {
            let room = (CHUNK - self.filled) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.hasher.update(now);
            self.filled += now.len() as u64;
            bytes = later;
            if self.filled == CHUNK {
                done(self.take());
            }
        }
    }

    /// The hash of the last chunk, if it is not empty.
    pub(crate) fn rest(&mut self) -> Option<u64> {
        (self.filled > 0).then(|| self.take())
    }

    fn take(&mut self) -> u64 {
        let hash = self.hasher.digest();
        self.hasher.reset();
        self.filled = 0;
        hash
    }
}
