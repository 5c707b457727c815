//! A model that is used, and stays for as long.

use std::path::PathBuf;

use crate::{Error, Lease, Manifest, Result, Store};

/// A generation of a model. Until this is dropped, nothing collects its files.
#[derive(Debug)]
pub struct Held {
    /// The generation.
    pub manifest: Manifest,
    /// Where it can be opened: a file, or a folder.
    pub path: PathBuf,
    /// `None` in a store that cannot be written to, or on a full disk: the model can be opened all the same.
    pub lease: Option<Lease>,
}

impl Store {
    /// The generation in use of what `reference` stands for, or the one of this number or id; `None` if the store does
    /// not have it.
    ///
    /// # Errors
    /// If what it has is damaged, or cannot be read.
    pub fn hold(&self, reference: &str, which: Option<&str>) -> Result<Option<Held>> {
        let Some(mut manifest) = self.there(reference, which)? else { return Ok(None) };
        loop {
            let files = manifest.model.files.iter().map(|file| file.sha256).collect::<Vec<_>>();
            let lease = self.lease(&files).ok();
            // Looked up again now that nothing can take it away: it may have been, or something newer may be in use.
            let Some(now) = self.there(reference, which)? else { return Ok(None) };
            if now.model.id() == manifest.model.id() {
                let path = self.path_of(&now)?;
                return Ok(Some(Held { manifest: now, path, lease }));
            }
            manifest = now;
        }
    }

    fn there(&self, reference: &str, which: Option<&str>) -> Result<Option<Manifest>> {
        match self.find(reference, which) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(Error::NotFound { .. } | Error::NoGeneration { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
