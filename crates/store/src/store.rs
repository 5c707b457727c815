//! The folder itself.

use std::{
    env,
    fs::{self, File},
    io,
    path::{self, Path, PathBuf},
    time::Duration,
};

use crate::{Digest, Error, FileName, Lock, Manifest, Reference, Result, Staging, files, files::At, snapshot};

/// Longer than any download that is still alive.
const STALE: Duration = Duration::from_hours(24);

/// A folder of models. Cheap to clone; threads and processes may share the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
    staging: PathBuf,
}

/// All models of a store.
#[derive(Debug)]
pub struct Listing {
    /// The models, by reference.
    pub models: Vec<Manifest>,
    /// Manifests that could not be read.
    pub problems: Vec<Error>,
}

impl Store {
    /// Opens the store in this folder, which is made if it is not there.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = path::absolute(&root).at("find", root.as_ref())?;
        let staging = root.join("staging");
        let store = Self { root, staging };
        for folder in [store.blobs(), store.models(), store.root.join("snapshots"), store.staging.clone()] {
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        files::sweep(&store.staging, STALE);
        Ok(store)
    }

    /// Where the store is unless one says otherwise: `LOCAL_CACHE_DIR`, or `trillm` in the user's folder for caches.
    pub fn default_root() -> Result<PathBuf> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("LOCAL_CACHE_DIR")
            // The standard says to ignore a relative one.
            .or_else(|| set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|cache| cache.join("trillm")))
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

    /// A new file on its way into the store. The name it will have is asked for first, so that a bad one costs nothing.
    pub fn stage(&self, name: FileName) -> Result<Staging> {
        Staging::create(self.clone(), name)
    }

    /// Makes a model visible. All its blobs must be in the store.
    pub fn put(&self, manifest: &Manifest) -> Result<()> {
        self.check(manifest)?;
        snapshot::ensure(self, manifest)?;
        let path = self.manifest_path(&manifest.reference);
        files::replace(&path, &self.staging, manifest.to_json().as_bytes())?;
        // A removal of another model may just have taken a blob: see `remove.rs`.
        self.check(manifest)
    }

    /// The model asked for by this reference, if it is complete.
    pub fn get(&self, reference: &str) -> Result<Manifest> {
        let path = self.manifest_path(reference);
        let manifest = match Manifest::read(&path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotFound { reference: reference.into() });
            }
            read => read?,
        };
        if manifest.reference != reference {
            let reason = format!("it is about \"{}\", expected \"{reference}\"", manifest.reference);
            return Err(Error::CorruptManifest { path, reason });
        }
        self.check(&manifest)?;
        Ok(manifest)
    }

    /// All models. One that cannot be read is reported and does not hide the others.
    pub fn list(&self) -> Result<Listing> {
        let folder = self.models();
        let mut listing = Listing { models: Vec::new(), problems: Vec::new() };
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            match Manifest::read(&entry.at("list", &folder)?.path()) {
                Ok(manifest) => listing.models.push(manifest),
                // Removed since.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(problem) => listing.problems.push(problem),
            }
        }
        listing.models.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(listing)
    }

    /// Where a model can be opened: the file if it is one file, else the folder that holds them under their names.
    pub fn path_of(&self, manifest: &Manifest) -> Result<PathBuf> {
        let folder = snapshot::ensure(self, manifest)?;
        Ok(match manifest.files.as_slice() {
            [file] => folder.join(&file.name),
            _ => folder,
        })
    }

    /// Where what a reference stands for can be opened, if it is on this machine.
    pub fn locate(&self, reference: &Reference) -> Result<PathBuf> {
        match reference.local()? {
            Some(path) => Ok(path.to_owned()),
            None => self.path_of(&self.get(&reference.to_string())?),
        }
    }

    /// Reads every byte of a model again and compares digests.
    pub fn verify(&self, reference: &str) -> Result<()> {
        let manifest = self.get(reference)?;
        for file in &manifest.files {
            let path = self.blob_path(file.sha256);
            let found = Digest::of_reader(&mut File::open(&path).at("read", &path)?).at("read", &path)?;
            if found != file.sha256 {
                let reason = format!("has sha256 {found}, expected {}", file.sha256);
                return Err(Error::Damaged { reference: reference.into(), name: file.name.to_string(), reason });
            }
        }
        Ok(())
    }

    /// Tries to become the one process that fetches this model; `None` while another one is. See [`Lock`].
    pub fn try_lock(&self, reference: &str) -> Option<Lock> {
        Lock::attempt(&self.root.join("locks").join(key(reference)))
    }

    /// The file that holds this content, if the store has it.
    pub(crate) fn blob_path(&self, sha256: Digest) -> PathBuf {
        self.blobs().join(sha256.to_string())
    }

    pub(crate) fn snapshot_path(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("snapshots").join(manifest.id().to_string())
    }

    pub(crate) fn manifest_path(&self, reference: &str) -> PathBuf {
        self.models().join(key(reference) + ".json")
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs").join("sha256")
    }

    fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// That every blob is there, at its size. Digests were checked on the way in; `verify` checks them again.
    fn check(&self, manifest: &Manifest) -> Result<()> {
        for file in &manifest.files {
            let reason = match fs::metadata(self.blob_path(file.sha256)) {
                Ok(metadata) if metadata.len() == file.size => continue,
                Ok(metadata) => format!("has {} bytes, expected {}", metadata.len(), file.size),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "is missing".into(),
                Err(error) => format!("cannot be read: {error}"),
            };
            let reference = manifest.reference.clone();
            return Err(Error::Damaged { reference, name: file.name.to_string(), reason });
        }
        Ok(())
    }
}

/// A file name for a reference: a readable part for people, and enough of its digest to be the only one, whatever its
/// length, its characters and the file system's idea of upper and lower case.
fn key(reference: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let readable: String = reference.chars().map(keep).take(80).collect();
    let digest = Digest::of(reference.as_bytes()).to_string();
    format!("{readable}-{}", &digest[..16])
}
