//! The GGUF model that a folder stands for: the only one that lies in it, however many files it has.
//!
//! Which of several is meant nobody but the user knows; a repository's preferences are for what is not here yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::split;
use crate::names::{GGUF, is_beside_models};
use crate::{Error, Result};

/// Entries of a folder that are looked at.
const ENTRIES: usize = 10_000;

/// The file to open, the first of a split model; `None` if there is no GGUF model.
pub(crate) fn in_folder(folder: &Path) -> Result<Option<PathBuf>> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    // One name for each model: that of its first part, or the first that is there.
    let mut models: BTreeMap<String, String> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed)?.take(ENTRIES) {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(GGUF).is_none_or(is_beside_models) {
            continue;
        }
        let first = split::first(&name).unwrap_or_else(|| name.clone());
        let of_set = models.entry(first).or_insert_with(|| name.clone());
        if name < *of_set {
            *of_set = name;
        }
    }
    let mut models = models.into_values();
    match (models.next(), models.len()) {
        (None, _) => Ok(None),
        (Some(only), 0) => Ok(Some(folder.join(only))),
        (Some(first), _) => {
            let names = std::iter::once(first).chain(models).collect();
            Err(Error::SeveralModels { path: folder.to_owned(), names })
        }
    }
}
