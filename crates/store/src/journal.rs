//! What of a download arrived, in a file that is only ever appended to.
//!
//! It is not synced, and neither are the data: after a power cut a chunk that is not what its line says is fetched
//! again. A line that was cut in the middle does not count.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    chunks::{self, CHUNK},
    files::{self, At},
};

const SCHEMA: u32 = 1;

/// The first line: a journal that is about something else counts for nothing.
#[derive(PartialEq, Serialize, Deserialize)]
struct Header {
    schema: u32,
    key: String,
    size: u64,
    chunk: u64,
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    /// A new journal that says of these chunks that they are there; whatever was there under this name is replaced.
    pub(crate) fn create(path: &Path, key: &str, size: u64, hashes: &[Option<u64>]) -> Result<Self> {
        let header = Header { schema: SCHEMA, key: key.into(), size, chunk: CHUNK };
        let mut text = serde_json::to_string(&header).unwrap_or_default() + "\n";
        for (index, hash) in hashes.iter().enumerate() {
            text.extend(hash.map(|hash| line(index, hash)));
        }
        let temporary = files::unique(path.parent().unwrap_or(path));
        fs::write(&temporary, text).at("write", &temporary)?;
        fs::rename(&temporary, path).at("write", path)?;
        let file = File::options().append(true).open(path).at("write", path)?;
        Ok(Self(file))
    }

    /// A chunk arrived. Best effort: what is not in the journal is fetched again by the next attempt.
    pub(crate) fn add(&mut self, index: usize, hash: u64) {
        // A line that was written in part must not run into the next one.
        if self.0.write_all(line(index, hash).as_bytes()).is_err() {
            let _ = self.0.write_all(b"\n");
        }
    }

    /// The chunks that a journal has, by index; none where it is about something else.
    pub(crate) fn read(path: &Path, key: &str, size: u64) -> Vec<(usize, u64)> {
        let mut text = Vec::new();
        // Longer than any that we write: an index, a space, sixteen digits.
        let longest = 4096 + key.len() as u64 + 64 * chunks::count(size) as u64;
        let read = File::open(path).and_then(|file| file.take(longest).read_to_end(&mut text));
        let text = if read.is_ok() { String::from_utf8_lossy(&text) } else { return Vec::new() };
        // What follows the last line break was cut.
        let Some((lines, _)) = text.rsplit_once('\n') else { return Vec::new() };
        let mut lines = lines.split('\n');
        let expected = Header { schema: SCHEMA, key: key.into(), size, chunk: CHUNK };
        if lines.next().and_then(|line| serde_json::from_str(line).ok()).as_ref() != Some(&expected) {
            return Vec::new();
        }
        lines.filter_map(parse).collect()
    }
}

fn line(index: usize, hash: u64) -> String {
    format!("{index} {hash:016x}\n")
}

fn parse(line: &str) -> Option<(usize, u64)> {
    let (index, hash) = line.split_once(' ')?;
    Some((index.parse().ok()?, u64::from_str_radix(hash, 16).ok()?))
}
