//! A small file of one JSON object, which may be absent.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::{Result, disk, json};

/// A file of one JSON object; an absent one is empty.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) object: Map<String, Value>,
}

impl File {
    /// Reads a file of at most `limit` bytes.
    pub(crate) fn read(folder: &Path, name: &str, limit: u64) -> Result<Self> {
        let path = folder.join(name);
        let object = match disk::small(&path, limit)? {
            None => Map::new(),
            Some(bytes) => json::object(&bytes, limit, "the file").map_err(|error| error.of(&path))?,
        };
        Ok(Self { path, object })
    }

    /// The same of a file that must be there.
    pub(crate) fn required(folder: &Path, name: &str, limit: u64) -> Result<Self> {
        disk::open(&folder.join(name))?;
        Self::read(folder, name, limit)
    }

    /// Reads from the object; errors name the file.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Fields<'_>) -> Result<T>) -> Result<T> {
        read(&Fields::new(&self.object)).map_err(|error| error.of(&self.path))
    }
}
