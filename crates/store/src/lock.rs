//! "One download for many processes."

use std::{
    fs::{self, File},
    path::Path,
};

use fs4::{FileExt, TryLockError};

/// Held while one process fetches a model, so that others can wait instead of fetching it too. Freed when dropped, and
/// by the system when its process dies.
///
/// Nothing breaks without it: some network file systems grant every lock or none, and then the worst case is that two
/// processes fetch the same bytes, which the store takes from both. So whatever fails here counts as a lock granted.
#[derive(Debug)]
pub struct Lock {
    /// Open as long as the lock is held; `None` where there is nothing to hold.
    _file: Option<File>,
}

impl Lock {
    /// The lock, or `None` while someone else has it.
    pub(crate) fn attempt(path: &Path) -> Option<Self> {
        // The file is never deleted: whoever waits holds it open, and a new file of the same name would be another lock.
        let file = path
            .parent()
            .and_then(|folder| fs::create_dir_all(folder).ok())
            .and_then(|()| File::options().create(true).truncate(false).write(true).open(path).ok());
        match file.as_ref().map(FileExt::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => None,
            _ => Some(Self { _file: file }),
        }
    }
}
