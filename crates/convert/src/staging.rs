//! A file or folder that is written under another name beside its destination, and renamed when it is complete.
//!
//! Beside it, because a rename is only then one step. Dropped before that, it is removed: a cancelled or failed
//! conversion leaves nothing. What a killed process leaves begins with a dot and ends in `.partial`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What is being written.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    destination: PathBuf,
    committed: bool,
}

impl Staging {
    /// Reserves a name beside `destination`, which may be there only if it may be replaced.
    pub(crate) fn new(destination: &Path, overwrite: bool) -> Result<Self> {
        let name = destination.file_name().ok_or_else(|| Error::Write {
            path: destination.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, "it does not end in a name"),
        })?;
        if !overwrite && fs::symlink_metadata(destination).is_ok() {
            return Err(Error::DestinationExists { path: destination.to_owned() });
        }
        let path = destination.with_file_name(hidden(&name.to_string_lossy(), "partial"));
        // Left by a process that was killed and had our number.
        remove(&path).map_err(|source| Error::Write { path: path.clone(), source })?;
        Ok(Self { path, destination: destination.to_owned(), committed: false })
    }

    /// The name to write under.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the result its name.
    pub(crate) fn commit(mut self) -> Result<()> {
        let failed = |source| Error::Write { path: self.destination.clone(), source };
        if self.destination.is_dir() {
            // A folder cannot be renamed onto another, so the old one steps aside, and comes back if that fails.
            let name = self.destination.file_name().map(|name| name.to_string_lossy().into_owned());
            let old = self.destination.with_file_name(hidden(&name.unwrap_or_default(), "old"));
            fs::rename(&self.destination, &old).map_err(failed)?;
            if let Err(error) = fs::rename(&self.path, &self.destination) {
                fs::rename(&old, &self.destination).map_err(failed)?;
                return Err(failed(error));
            }
            self.committed = true;
            return remove(&old).map_err(|source| Error::Write { path: old, source });
        }
        fs::rename(&self.path, &self.destination).map_err(failed)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.committed {
            // Whatever led here is the error to report.
            let _ = remove(&self.path);
        }
    }
}

fn hidden(name: &str, what: &str) -> String {
    format!(".{name}.{}.{what}", std::process::id())
}

/// Removes a file or folder, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}
