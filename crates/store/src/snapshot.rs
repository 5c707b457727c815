//! Links that give blobs the names engines and people expect.
//!
//! Shards find their siblings, and tokenizers their model, by name. The links are relative, so a store can be moved.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Manifest, ModelFile, Result, Store, files, files::At};

/// The folder of links for a manifest, made if it is not there.
pub(crate) fn ensure(store: &Store, manifest: &Manifest) -> Result<PathBuf> {
    let folder = store.snapshot_path(manifest);
    if folder.is_dir() {
        return Ok(folder);
    }
    let temporary = files::unique(store.staging());
    let made = manifest.files.iter().try_for_each(|file| link(&temporary, store, file));
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

fn link(folder: &Path, store: &Store, file: &ModelFile) -> Result<()> {
    let path = folder.join(&file.name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).at("create", parent)?;
    }
    make_link(store, file, &path).at("link", &path)
}

/// `staging/<unique>` lies as deep as `snapshots/<id>`, so the link is right before and after the rename.
#[cfg(unix)]
fn make_link(store: &Store, file: &ModelFile, path: &Path) -> io::Result<()> {
    let blob = store.blob_path(file.sha256);
    let up = "../".repeat(file.name.depth() + 2);
    std::os::unix::fs::symlink(Path::new(&up).join(blob.strip_prefix(store.root()).unwrap_or(&blob)), path)
}

/// Symbolic links need a privilege elsewhere; hard links do not.
#[cfg(not(unix))]
fn make_link(store: &Store, file: &ModelFile, path: &Path) -> io::Result<()> {
    fs::hard_link(store.blob_path(file.sha256), path)
}
