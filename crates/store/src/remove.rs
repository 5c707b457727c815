//! Taking a model out, without a lock, while others put models in that share its blobs.
//!
//! [`Store::put`] writes its manifest and *then* looks whether all blobs are there. A removal takes the blobs away and
//! *then* looks whether a manifest wants them. Whatever the order of these four steps, either the removal sees the
//! manifest and gives the blob back, or the put sees the gap and reports it.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{Digest, Error, Manifest, Result, Store, files, files::At};

impl Store {
    /// Removes a model, and its blobs where no other model has them. Returns how many bytes that freed.
    ///
    /// A model that is mapped stays usable until its process lets go of it.
    pub fn remove(&self, reference: &str) -> Result<u64> {
        let path = self.manifest_path(reference);
        // An unreadable manifest can be removed too; its blobs are not known then.
        let manifest = Manifest::read(&path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotFound { reference: reference.into() });
            }
            removed => removed.at("remove", &path)?,
        }
        path.parent().map_or(Ok(()), files::sync_folder)?;
        let Ok(manifest) = manifest else { return Ok(0) };

        let Some(kept) = self.in_use()? else { return Ok(0) };
        let mut taken = Vec::new();
        for file in &manifest.files {
            if !kept.blobs.contains(&file.sha256) {
                taken.extend(self.take(&self.blob_path(file.sha256)).map(|at| (file.sha256, at)));
            }
        }
        let links = self.snapshot_path(&manifest);
        let taken_links = if kept.snapshots.contains(&manifest.id()) { None } else { self.take(&links) };
        let wanted = self.in_use()?;
        let mut freed = 0;
        for (digest, at) in taken {
            if wanted.as_ref().is_none_or(|wanted| wanted.blobs.contains(&digest)) {
                let blob = self.blob_path(digest);
                fs::rename(&at, &blob).at("give back", &blob)?;
            } else {
                freed += fs::metadata(&at).map_or(0, |metadata| metadata.len());
                fs::remove_file(&at).at("remove", &at)?;
            }
        }
        if let Some(at) = taken_links {
            // Fails if the other made them anew, and then these are the ones to throw away.
            let given_back = wanted.is_none_or(|wanted| wanted.snapshots.contains(&manifest.id()))
                && fs::rename(&at, &links).is_ok();
            if !given_back {
                fs::remove_dir_all(&at).at("remove", &at)?;
            }
        }
        Ok(freed)
    }

    /// Moves something out of sight; `None` if it is gone already.
    fn take(&self, path: &Path) -> Option<PathBuf> {
        let at = files::unique(self.staging());
        fs::rename(path, &at).ok().map(|()| at)
    }

    /// What the manifests refer to; `None` if one cannot be read, for it may refer to anything.
    fn in_use(&self) -> Result<Option<InUse>> {
        let listing = self.list()?;
        if !listing.problems.is_empty() {
            return Ok(None);
        }
        Ok(Some(InUse {
            blobs: listing.models.iter().flat_map(|model| &model.files).map(|file| file.sha256).collect(),
            snapshots: listing.models.iter().map(Manifest::id).collect(),
        }))
    }
}

struct InUse {
    blobs: HashSet<Digest>,
    snapshots: HashSet<Digest>,
}
