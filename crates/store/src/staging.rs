//! A file on its way into the store.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

use crate::{Digest, Error, FileName, Result, Store, digest::Hasher, files, files::At};

/// A file that nobody sees yet: hashed while it is written, visible once [committed](Self::commit), gone if dropped.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    name: FileName,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    size: u64,
}

/// A file of the store, named by what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What is in it.
    pub sha256: Digest,
    /// How large it is, in bytes.
    pub size: u64,
}

impl Staging {
    pub(crate) fn create(store: Store, name: FileName) -> Result<Self> {
        let path = files::unique(store.staging());
        let file = File::create_new(&path).at("create", &path)?;
        Ok(Self { store, name, path, file, hasher: Hasher::default(), size: 0 })
    }

    /// Appends to the file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at("write", &self.path)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes were written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the file a blob, if its digest is the `expected` one. Several threads and processes may commit the same
    /// content at once: all succeed.
    pub fn commit(mut self, expected: Option<Digest>) -> Result<Blob> {
        let found = std::mem::take(&mut self.hasher).finish();
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::DigestMismatch { what: self.name.to_string(), expected, found });
        }
        let blob = Blob { sha256: found, size: self.size };
        let target = self.store.blob_path(found);
        // One of another size is a damaged one, and is replaced.
        if fs::metadata(&target).is_ok_and(|metadata| metadata.len() == self.size) {
            return Ok(blob);
        }
        self.file.sync_all().at("sync", &self.path)?;
        let mut permissions = self.file.metadata().at("inspect", &self.path)?.permissions();
        // Engines map it: a writer would change a running model.
        permissions.set_readonly(true);
        self.file.set_permissions(permissions).at("protect", &self.path)?;
        fs::rename(&self.path, &target).at("commit", &target)?;
        target.parent().map_or(Ok(()), files::sync_folder)?;
        Ok(blob)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Renamed away if committed; otherwise best effort, the sweep takes what stays.
        let _ = fs::remove_file(&self.path);
    }
}
