//! A file of unknown size on its way into the store.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    process,
};

use crate::{
    Blob, Expected, FileName, Result, Store,
    chunks::{Chunks, Whole, measure},
    commit::Finished,
    files::{self, At},
};

/// A file that nobody sees yet: hashed while it is written, visible once [committed](Self::commit), gone if dropped.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    name: FileName,
    pid: u32,
    path: PathBuf,
    file: File,
    whole: Whole,
    chunks: Chunks,
    hashes: Vec<u64>,
}

impl Staging {
    pub(crate) fn create(store: Store, name: FileName) -> Result<Self> {
        let path = files::unique(store.staging());
        let file = File::create_new(&path).at("create", &path)?;
        let whole = Whole::new(&Expected::default(), None);
        Ok(Self { store, name, pid: process::id(), path, file, whole, chunks: Chunks::default(), hashes: Vec::new() })
    }

    /// Appends to the file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at("write", &self.path)?;
        self.whole.update(bytes);
        self.chunks.update(bytes, |hash| self.hashes.push(hash));
        Ok(())
    }

    /// How many bytes were written so far.
    pub fn size(&self) -> u64 {
        self.whole.position()
    }

    /// Makes the file a blob, if it is what was expected.
    pub fn commit(mut self, expected: Expected) -> Result<Blob> {
        let (sums, hashes) = if expected.git.is_some() {
            // That name begins with the size, which was not known before.
            File::open(&self.path).and_then(|mut file| measure(&mut file, &expected)).at("read", &self.path)?
        } else {
            self.hashes.extend(self.chunks.rest());
            (self.whole.clone().finish(), std::mem::take(&mut self.hashes))
        };
        let (path, file) = (&self.path, &self.file);
        let finished = Finished { what: self.name.as_str(), path, file, sums, hashes, mends: false };
        self.store.commit(finished, &expected)
    }
}

impl Store {
    /// A new file on its way into the store. The name it will have is asked for first, so that a bad one costs nothing.
    pub fn stage(&self, name: FileName) -> Result<Staging> {
        Staging::create(self.clone(), name)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a fork it is the parent's.
        if self.pid == process::id() {
            // Renamed away if committed; otherwise best effort, the sweep takes what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}
