//! The one way in which a file becomes a blob: verified, synced, then visible.

use std::{
    fs::{self, File},
    path::Path,
};

use crate::{
    Blob, Expected, Result, Store,
    checksum::Sums,
    files::{self, At},
    record::{Record, is_shared},
};

/// A file that was written and hashed, on its way to being a blob.
pub(crate) struct Finished<'a> {
    /// What it is called in errors.
    pub(crate) what: &'a str,
    /// Where it is; on the store's file system.
    pub(crate) path: &'a Path,
    pub(crate) file: &'a File,
    pub(crate) sums: Sums,
    /// Of its chunks.
    pub(crate) hashes: Vec<u64>,
    /// Whether what is there under this digest is known to be wrong.
    pub(crate) mends: bool,
}

impl Store {
    /// Makes a file a blob, if it is what was expected. Several threads and processes may commit the same content at
    /// once: all succeed.
    pub(crate) fn commit(&self, finished: Finished<'_>, expected: &Expected) -> Result<Blob> {
        let Finished { what, path, file, sums, hashes, mends } = finished;
        expected.check(what, &sums)?;
        let size = file.metadata().at("inspect", path)?.len();
        let blob = Blob { sha256: sums.sha256, size };
        let there = self.blob_path(blob.sha256);
        // Nothing collects it between the look and the manifest's own lease.
        let _lease = self.lease(&[blob.sha256])?;
        // What someone else may write to is replaced by what nobody can.
        let stays = !mends && !is_shared(&there).unwrap_or(true) && self.has(blob.sha256, size)?;
        if stays {
            // A blob that nothing refers to is collected when it and its record are old.
            self.renew_record(blob)?;
            return Ok(blob);
        }
        file.sync_all().at("sync", path)?;
        let metadata = file.metadata().at("inspect", path)?;
        let mut permissions = metadata.permissions();
        // Engines map it: a writer would change a running model.
        permissions.set_readonly(true);
        file.set_permissions(permissions).at("protect", path)?;
        self.place(path, blob, &Record::own(&metadata, hashes))?;
        Ok(blob)
    }

    /// Renames what is right to where it is seen, after its record is there: whoever sees it finds that too.
    pub(crate) fn place(&self, path: &Path, blob: Blob, record: &Record) -> Result<()> {
        self.write_record(blob.sha256, record)?;
        let target = self.blob_path(blob.sha256);
        fs::rename(path, &target).at("commit", &target)?;
        files::sync_folder(&self.blobs())
    }
}
