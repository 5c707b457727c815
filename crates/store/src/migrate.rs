//! Stores of earlier versions.
//!
//! Schema 1 knew one generation of a reference, in `models/<key>.json`. Its manifest is moved to where a generation
//! lies, as it is: a rename happens once, whoever else does it, and loses nothing on the way. Reading turns it into
//! what it would be now. What cannot be read, or comes from a later version, stays where it is and
//! [`Store::list`] reports it.

use std::{fs, path::PathBuf};

use serde::Deserialize;

use crate::{Error, Manifest, Model, ModelFile, Result, Source, Store, files::At};

/// A manifest of schema 1.
#[derive(Deserialize)]
pub(crate) struct First {
    reference: String,
    source: Source,
    files: Vec<ModelFile>,
    licence: Option<String>,
    created: u64,
}

impl First {
    pub(crate) fn into_manifest(self) -> Manifest {
        let Self { reference, source, files, licence, created } = self;
        Manifest::new(1, created, Model { reference, source, files, open: None, licence, chat: None })
    }
}

impl Store {
    /// Moves manifests of schema 1 to where generations lie.
    pub(crate) fn migrate(&self) -> Result<()> {
        for path in self.first_manifests()? {
            let Ok(manifest) = Manifest::read(&path) else { continue };
            let folder = self.model_path(&manifest.model.reference);
            let target = folder.join(format!("{}.json", manifest.model.id()));
            // Best effort: what could not be moved is reported by `list`, and what a power cut moves back moves again.
            let _ = fs::create_dir_all(&folder).and_then(|()| {
                // An earlier version pulled it again: the generation has its number already.
                if target.exists() { fs::remove_file(&path) } else { fs::rename(&path, &target) }
            });
        }
        Ok(())
    }

    /// Why each manifest of schema 1 that is still where it was is there.
    pub(crate) fn not_migrated(&self) -> Result<Vec<Error>> {
        let problem = |path: PathBuf| match Manifest::read(&path) {
            // Moved since.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(problem) => Some(problem),
            Ok(_) => {
                let reason = "an earlier version wrote it, and it could not be moved to where it belongs now".into();
                Some(Error::CorruptManifest { path, reason })
            }
        };
        Ok(self.first_manifests()?.into_iter().filter_map(problem).collect())
    }

    fn first_manifests(&self) -> Result<Vec<PathBuf>> {
        let folder = self.models();
        let mut paths = Vec::new();
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let path = entry.at("list", &folder)?.path();
            if path.extension().is_some_and(|extension| extension == "json") && !path.is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}
