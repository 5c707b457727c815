//! What processes use, so that nothing collects it.
//!
//! A lease is a file with digests, named by its process. Whoever takes a blob away looks at the leases after that, and
//! gives back what is leased (`take.rs`); whoever leases looks whether the blobs are there after that. So a lease
//! needs no lock and no sign of life: it ends with its process.

use std::{collections::HashSet, fs, io, path::PathBuf, process, time::Duration};

use crate::{Digest, Result, Store, files::At, owner::Owner};

/// How long a lease is believed whose process cannot be asked for: of another machine, or another container. What is
/// mapped stays usable in any case.
const UNKNOWN: Duration = Duration::from_hours(30 * 24);

/// Keeps blobs from being collected. Freed when dropped, and void once its process is gone.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    /// Not of a child that was forked since.
    pid: u32,
}

impl Store {
    /// Leases these blobs. To be asked for before looking whether they are there: then they stay.
    pub fn lease(&self, blobs: &[Digest]) -> Result<Lease> {
        let private = self.scratch(&serde_json::to_vec(blobs).unwrap_or_default()).at("write", self.staging())?;
        let unique = private.file_name().unwrap_or_default().display();
        let path = self.leases().join(format!("{}-{unique}.json", Owner::me()));
        fs::rename(&private, &path).at("write", &path)?;
        Ok(Lease { path, pid: process::id() })
    }

    /// What living processes lease; `None` if a lease cannot be read, for it may be of anything. Removes those of dead
    /// processes.
    pub(crate) fn leased(&self) -> Result<Option<HashSet<Digest>>> {
        let folder = self.leases();
        let mut leased = HashSet::new();
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let entry = entry.at("list", &folder)?;
            let owner = entry.file_name().to_str().and_then(Owner::of_name);
            let alive = owner.and_then(|owner| owner.alive()).unwrap_or_else(|| {
                let modified = entry.metadata().and_then(|metadata| metadata.modified());
                modified.ok().and_then(|modified| modified.elapsed().ok()).is_none_or(|age| age < UNKNOWN)
            });
            if !alive {
                // Best effort: it counts for nothing while it lies there.
                let _ = fs::remove_file(entry.path());
                continue;
            }
            match fs::read(entry.path()).map(|text| serde_json::from_slice::<Vec<Digest>>(&text)) {
                Ok(Ok(digests)) => leased.extend(digests),
                // Dropped since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(leased))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.pid == process::id() {
            // Best effort: it is void once this process is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}
