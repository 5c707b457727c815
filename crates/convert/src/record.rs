//! Conversions that run, on record in the store, so that a collection finds what those left that were killed.
//!
//! A conversion writes beside its destination, which may be anywhere. A record is a link to that, named by the process
//! that made it: whether that lives is known without a lock. Where no record can be made, or the system has no such
//! links, a conversion goes on without, and what it leaves if it is killed waits for the next one to that folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trillm_store::{Owner, Store};

use crate::staging;

/// The folder of records in a store.
const FOLDER: &str = "conversions";

/// A conversion is on record as long as this lives.
#[derive(Debug)]
pub struct Record(PathBuf);

impl Record {
    /// Puts a conversion to `destination` on record.
    ///
    /// # Errors
    /// Why there can be no record in this store. Nothing else depends on it.
    pub fn new(store: &Store, destination: &Path) -> io::Result<Self> {
        let folder = store.root().join(FOLDER);
        fs::create_dir_all(&folder)?;
        let path = folder.join(staging::mine());
        link(&std::path::absolute(destination)?, &path)?;
        Ok(Self(path))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // What stays is a record of a dead process, and a collection takes it away.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn link(destination: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(destination, path)
}

#[cfg(not(unix))]
fn link(_destination: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What killed conversions had left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// How many files and folders were removed.
    pub count: u64,
    /// How many bytes that freed.
    pub bytes: u64,
}

/// Removes what conversions left that are on record in this store and were killed.
pub fn collect(store: &Store) -> Left {
    let mut left = Left::default();
    for entry in fs::read_dir(store.root().join(FOLDER)).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_str().and_then(Owner::of_name);
        if owner.is_none_or(|owner| owner.alive() != Some(false)) {
            continue;
        }
        if let Ok(destination) = fs::read_link(entry.path()) {
            let removed = staging::clear(&destination);
            left.count += removed.len() as u64;
            left.bytes += removed.iter().sum::<u64>();
        }
        let _ = fs::remove_file(entry.path());
    }
    left
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::staging::tests::{dead, nobody};

    #[test]
    fn what_the_dead_left_is_found_and_those_that_run_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("store")).expect("a store");
        let made = folder.path().join("made");
        fs::write(folder.path().join(dead("made", "partial")), "half").expect("a file");
        let running = Record::new(&store, &made).expect("a record");
        assert_eq!(collect(&store), Left::default());
        let killed = store.root().join(FOLDER).join(format!("{}-0", nobody()));
        link(&made, &killed).expect("a record");
        assert_eq!(collect(&store), Left { count: 1, bytes: 4 });
        assert!(fs::symlink_metadata(killed).is_err() && fs::symlink_metadata(&running.0).is_ok());
        drop(running);
        assert_eq!(fs::read_dir(store.root().join(FOLDER)).expect("a folder").count(), 0);
    }
}
