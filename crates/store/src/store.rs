//! The folder itself.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{self, Path, PathBuf},
    time::Duration,
};

use crate::{Digest, Error, Result, files, files::At, home};

/// Longer than any download that is still alive.
const STALE: Duration = Duration::from_hours(24);

/// A folder of models. Cheap to clone; threads and processes may share the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
    staging: PathBuf,
}

impl Store {
    /// Opens the store in this folder, which is made if it is not there.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = path::absolute(&root).at("find", root.as_ref())?;
        let staging = root.join("staging");
        let store = Self { root, staging };
        let (blobs, records, models, snapshots) = (store.blobs(), store.records(), store.models(), store.snapshots());
        let (partials, claims, leases, taken) = (store.partials(), store.claims(), store.leases(), store.taken());
        for folder in [blobs, records, models, snapshots, partials, claims, leases, taken, store.staging.clone()] {
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        files::sweep(&store.staging, STALE);
        files::sweep(&store.claims(), STALE);
        store.recover();
        Ok(store)
    }

    /// Where the store is unless one says otherwise: `LOCAL_CACHE_DIR`, or `trillm` in the user's folder for caches.
    pub fn default_root() -> Result<PathBuf> {
        home::set("LOCAL_CACHE_DIR")
            // The standard says to ignore a relative one.
            .or_else(|| home::set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|cache| cache.join("trillm")))
            .or_else(|| env::home_dir().map(|home| home.join(".cache/trillm")))
            .ok_or(Error::NoFolder)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder for what is still being written: on the same file system, and swept of what is a day old.
    pub fn staging(&self) -> &Path {
        &self.staging
    }

    /// The file that holds this content, if the store has it.
    pub(crate) fn blob_path(&self, sha256: Digest) -> PathBuf {
        self.blobs().join(sha256.to_string())
    }

    /// What is known about this content besides its digest.
    pub(crate) fn record_path(&self, sha256: Digest) -> PathBuf {
        self.records().join(format!("{sha256}.json"))
    }

    /// The folder of a reference's generations.
    pub(crate) fn model_path(&self, reference: &str) -> PathBuf {
        self.models().join(key(reference))
    }

    /// A file in [`Self::staging`] with this content: for what need not outlast a power cut, but must not be seen in
    /// part.
    pub(crate) fn scratch(&self, content: &[u8]) -> io::Result<PathBuf> {
        let path = files::unique(&self.staging);
        File::create_new(&path)?.write_all(content)?;
        Ok(path)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs").join("sha256")
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub(crate) fn partials(&self) -> PathBuf {
        self.root.join("partials")
    }

    pub(crate) fn claims(&self) -> PathBuf {
        self.root.join("claims")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// What removals look at: see `take.rs`.
    pub(crate) fn taken(&self) -> PathBuf {
        self.root.join("taken")
    }
}

/// A file name for a reference: a readable part for people, and enough of its digest to be the only one, whatever its
/// length, its characters and the file system's idea of upper and lower case.
pub(crate) fn key(reference: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let readable: String = reference.chars().map(keep).take(80).collect();
    let digest = Digest::of(reference.as_bytes()).to_string();
    format!("{readable}-{}", &digest[..16])
}
