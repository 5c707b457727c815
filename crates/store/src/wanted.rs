//! What must stay, and what may go.

use std::{collections::HashSet, fs, path::Path};

use crate::{Digest, Manifest, Result, Store, generations::Generations};

/// What must stay.
pub(crate) struct Wanted {
    /// Blobs that manifests refer to.
    pub(crate) blobs: HashSet<Digest>,
    /// Folders of links that manifests have.
    pub(crate) snapshots: HashSet<Digest>,
    /// Blobs that processes lease.
    pub(crate) leased: HashSet<Digest>,
}

/// What somebody may want no more.
#[derive(Default)]
pub(crate) struct Unwanted {
    pub(crate) blobs: HashSet<Digest>,
    pub(crate) snapshots: HashSet<Digest>,
}

impl Unwanted {
    /// All that a manifest refers to.
    pub(crate) fn add(&mut self, manifest: &Manifest) {
        self.blobs.extend(manifest.model.files.iter().map(|file| file.sha256));
        self.snapshots.insert(manifest.model.id());
    }
}

impl Wanted {
    pub(crate) fn blob(&self, blob: Digest) -> bool {
        self.blobs.contains(&blob) || self.leased.contains(&blob)
    }

    /// Engines open files late, so the links to what is leased stay too.
    pub(crate) fn snapshot(&self, id: Digest, folder: &Path) -> bool {
        self.snapshots.contains(&id) || links(folder).iter().any(|blob| self.leased.contains(blob))
    }
}

impl Store {
    /// What manifests refer to and processes lease; `None` if one of these cannot be read, for it may want anything.
    pub(crate) fn wanted(&self) -> Result<Option<Wanted>> {
        // Leases first: a put writes its manifest, then lets go of its lease. One of the two is seen.
        let Some(leased) = self.leased()? else { return Ok(None) };
        let mut all = Unwanted::default();
        for key in self.model_keys()? {
            let mut there = Generations::read(&self.models().join(&key), &key)?;
            if !there.problems.is_empty() || matches!(there.take_in_use(), Some(Err(_))) {
                return Ok(None);
            }
            there.manifests.iter().for_each(|manifest| all.add(manifest));
        }
        let Unwanted { blobs, snapshots } = all;
        Ok(Some(Wanted { blobs, snapshots, leased }))
    }
}

/// The blobs that a snapshot's links lead to. Where links are hard ones, they keep their files themselves.
fn links(folder: &Path) -> Vec<Digest> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match fs::read_link(&path) {
            Ok(blob) => found.extend(blob.file_name().and_then(|name| name.to_str()?.parse::<Digest>().ok())),
            Err(_) => found.append(&mut links(&path)),
        }
    }
    found
}
