//! Links that give blobs the names engines and people expect.
//!
//! Shards find their siblings, and tokenizers their model, by name. The links are relative, so a store can be moved.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Manifest, ModelFile, Pinned, Result, Store, files, files::At};

impl Store {
    /// Where a model can be opened: the file if it is one file, else the folder that holds them under their names.
    pub fn path_of(&self, manifest: &Manifest) -> Result<PathBuf> {
        let folder = ensure(self, manifest)?;
        Ok(match (&manifest.model.open, manifest.model.files.as_slice()) {
            (Some(file), _) | (None, [ModelFile { name: file, .. }]) => folder.join(file),
            _ => folder,
        })
    }

    /// Where what was asked for can be opened, if it is on this machine.
    pub fn locate(&self, wanted: &Pinned) -> Result<PathBuf> {
        if let Some(path) = wanted.reference.local()? {
            return Ok(path.to_owned());
        }
        let which = wanted.generation.map(|id| id.to_string());
        self.path_of(&self.find(&wanted.reference.to_string(), which.as_deref())?)
    }

    pub(crate) fn snapshot_path(&self, manifest: &Manifest) -> PathBuf {
        self.snapshots().join(manifest.model.id().to_string())
    }
}

/// The folder of links for a manifest, made if it is not there.
pub(crate) fn ensure(store: &Store, manifest: &Manifest) -> Result<PathBuf> {
    let folder = store.snapshot_path(manifest);
    let files = &manifest.model.files;
    let whole = || files.iter().all(|file| is_right(store, file, &folder.join(&file.name)));
    if whole() {
        return Ok(folder);
    }
    let temporary = files::unique(store.staging());
    let made = files.iter().try_for_each(|file| link(&temporary, store, file)).and_then(|()| sync(&temporary));
    // Somebody edited what is in it. If it cannot be taken away, the rename below says so.
    if folder.exists() && !whole() {
        let away = files::unique(store.staging());
        let _ = fs::rename(&folder, &away).and_then(|()| fs::remove_dir_all(&away));
    }
    // A folder cannot be renamed onto one with files in it: then another process was first, with the same links.
    let placed = made.and_then(|()| match fs::rename(&temporary, &folder) {
        Err(_) if folder.is_dir() => Ok(()),
        renamed => renamed.at("create", &folder),
    });
    // Gone if it was renamed; the sweep takes what stays.
    let _ = fs::remove_dir_all(&temporary);
    placed?;
    folder.parent().map_or(Ok(()), files::sync_folder)?;
    Ok(folder)
}

/// Makes the folder outlast a power cut, with all in it.
fn sync(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).at("list", folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync(&entry.path())?;
        }
    }
    files::sync_folder(folder)
}

fn link(folder: &Path, store: &Store, file: &ModelFile) -> Result<()> {
    let path = folder.join(&file.name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).at("create", parent)?;
    }
    make_link(store, file, &path).at("link", &path)
}

/// Whether this is the link that belongs there: people edit files where they find them.
#[cfg(unix)]
fn is_right(store: &Store, file: &ModelFile, path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == target_of(store, file))
}

#[cfg(not(unix))]
fn is_right(_store: &Store, _file: &ModelFile, path: &Path) -> bool {
    path.is_file()
}

/// `staging/<unique>` lies as deep as `snapshots/<id>`, so the link is right before and after the rename.
#[cfg(unix)]
fn make_link(store: &Store, file: &ModelFile, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target_of(store, file), path)
}

#[cfg(unix)]
fn target_of(store: &Store, file: &ModelFile) -> PathBuf {
    let blob = store.blob_path(file.sha256);
    let up = "../".repeat(file.name.depth() + 2);
    Path::new(&up).join(blob.strip_prefix(store.root()).unwrap_or(&blob))
}

/// Symbolic links need a privilege elsewhere; hard links do not.
#[cfg(not(unix))]
fn make_link(store: &Store, file: &ModelFile, path: &Path) -> io::Result<()> {
    fs::hard_link(store.blob_path(file.sha256), path)
}
