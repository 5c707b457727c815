//! What is known about a blob besides its digest.
//!
//! A blob was right when its record was made. As long as the file is the one of the record, nothing wrote to it since;
//! otherwise, and where there is no record, it is read before it is believed.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::Path,
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};
use trillm_core::files::are_too_many;

use crate::{
    Blob, Digest, Expected, Result, Store,
    chunks::{self, CHUNK, measure},
    files::{self, At},
};

const SCHEMA: u32 = 1;

/// The largest record read, in bytes: one of a file of ten terabytes.
const MAX_SIZE: u64 = 64 << 20;

/// When a blob was known to be right, and what its chunks were then.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    pub(crate) size: u64,
    file: Identity,
    /// Bytes in a chunk.
    chunk: u64,
    /// XXH3 of each chunk.
    pub(crate) hashes: Vec<u64>,
}

/// What tells a file from another one, or from itself before somebody wrote to it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// When it was last written, in nanoseconds since 1970.
    modified: i128,
    /// Of files that someone else may replace or write to: which file it is, and when anything about it last changed,
    /// which no program can set back.
    shared: Option<(u64, i64, i64)>,
}

impl Record {
    /// Of a file that only the store has.
    pub(crate) fn own(metadata: &Metadata, hashes: Vec<u64>) -> Self {
        Self::new(metadata, hashes, false)
    }

    /// Of a file that someone else has, too.
    pub(crate) fn shared(metadata: &Metadata, hashes: Vec<u64>) -> Self {
        Self::new(metadata, hashes, true)
    }

    fn new(metadata: &Metadata, hashes: Vec<u64>, shared: bool) -> Self {
        let file = Identity::of(metadata, shared);
        Self { schema: SCHEMA, size: metadata.len(), file, chunk: CHUNK, hashes }
    }

    /// Whether the file is as it was.
    fn fits(&self, metadata: &Metadata) -> bool {
        self.size == metadata.len() && self.file == Identity::of(metadata, self.file.shared.is_some())
    }
}

impl Identity {
    fn of(metadata: &Metadata, shared: bool) -> Self {
        let modified = metadata.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        });
        #[cfg(unix)]
        let which = {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let which = Some((0, 0, 0));
        Self { modified, shared: which.filter(|_| shared) }
    }
}

/// Whether someone else has this file too: it is a link to theirs, or has another name.
pub(crate) fn is_shared(path: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    #[cfg(unix)]
    let names = std::os::unix::fs::MetadataExt::nlink(&metadata);
    #[cfg(not(unix))]
    let names = 1;
    Ok(metadata.is_symlink() || names > 1)
}

impl Store {
    /// The record of a blob of this size; `None` if it has none that can be used.
    pub(crate) fn record(&self, digest: Digest, size: u64) -> Option<Record> {
        let mut text = Vec::new();
        File::open(self.record_path(digest)).ok()?.take(MAX_SIZE).read_to_end(&mut text).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        let whole = record.size == size && record.hashes.len() == chunks::count(size);
        (record.schema == SCHEMA && record.chunk == CHUNK && whole).then_some(record)
    }

    /// Makes the record of a blob that is there as young as if it had come just now.
    pub(crate) fn renew_record(&self, blob: Blob) -> Result<()> {
        match self.record(blob.sha256, blob.size) {
            Some(record) => self.write_record(blob.sha256, &record),
            None => Ok(()),
        }
    }

    pub(crate) fn write_record(&self, digest: Digest, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).unwrap_or_default();
        files::replace(&self.record_path(digest), self.staging(), &text)
    }

    /// Whether the store has this content, whole and as it came.
    pub fn has(&self, sha256: Digest, size: u64) -> Result<bool> {
        self.check_blob(sha256, size).map(|damage| damage.is_none())
    }

    /// Why a blob is not what it should be; `None` if it is. Reads it unless it is known to be as it was.
    pub(crate) fn check_blob(&self, digest: Digest, size: u64) -> Result<Option<String>> {
        let path = self.blob_path(digest);
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Ok(Some("is missing".into())),
            // Nothing is wrong with the blob.
            _ if are_too_many(&error) => Err(error).at("read", &path),
            _ => Ok(Some(format!("cannot be read: {error}"))),
        };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return unreadable(error),
        };
        if metadata.len() != size {
            return Ok(Some(format!("has {} bytes, expected {size}", metadata.len())));
        }
        if self.record(digest, size).is_some_and(|record| record.fits(&metadata)) {
            return Ok(None);
        }
        let measured = File::open(&path).and_then(|mut file| measure(&mut file, &Expected::default()));
        let (sums, hashes) = match measured {
            Ok(measured) => measured,
            Err(error) => return unreadable(error),
        };
        if sums.sha256 != digest {
            return Ok(Some(format!("was changed: it has sha256 {}, expected {digest}", sums.sha256)));
        }
        let shared = is_shared(&path).unwrap_or(true);
        // Nobody may be able to write where models are shared; then it is read again next time.
        let _ = self.write_record(digest, &Record::new(&metadata, hashes, shared));
        Ok(None)
    }
}
