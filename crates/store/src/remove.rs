//! Taking a model out.

use std::fs;

use crate::{Error, Result, Store, files, files::At, generations::Generations, store::key, wanted::Unwanted};

impl Store {
    /// Removes a model with all its generations, and its blobs where no other model has them and no process leases
    /// them. Returns how many bytes that freed.
    ///
    /// A model that is mapped stays usable until its process lets go of it. What cannot be read can be removed too; its
    /// blobs are not known then, and stay until they are [collected](Self::collect).
    pub fn remove(&self, reference: &str) -> Result<u64> {
        let folder = self.model_path(reference);
        let Some(taken) = self.take(&folder, "model")? else {
            return Err(Error::NotFound { reference: reference.into() });
        };
        // All generations are gone with that one rename, so they may be read now.
        files::sync_folder(&self.models())?;
        let there = Generations::read(&taken, &key(reference));
        fs::remove_dir_all(&taken).at("remove", &taken)?;
        let mut unwanted = Unwanted::default();
        there?.manifests.iter().for_each(|manifest| unwanted.add(manifest));
        Ok(self.release(&unwanted)?.bytes)
    }
}
