//! Opens the files that a graph names: beside it, below its folder, and nowhere else.
//!
//! A path in a model is text from a stranger. It is checked as text first; then the system is told to resolve it below
//! the folder without following links (`openat2`), so that nobody can swap a link in between the check and the opening;
//! and what is open must be a regular file. A hard link could be another name for what somebody else may not read, so a
//! file with several names must belong to whoever owns the model's folder: backups, deduplication and our own store give
//! second names to people's own files. Stores of models keep files as links into a folder of blobs:
//! such a link is followed if the model lies in `<root>/snapshots/` and the file in `<root>/blobs/`. A blob may be a link
//! itself, to a file that was imported and stays where it is: that one, too, must belong to whoever owns the folder.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Checks the text of a path: parts of names below a folder, joined by slashes, the same on every system.
pub(super) fn check(location: &str) -> Result<(), &'static str> {
    const LONGEST: usize = 1024;
    if location.is_empty() {
        return Err("an empty path");
    }
    if location.len() > LONGEST {
        return Err("a path of more than 1024 bytes");
    }
    // How ONNX Runtime marks tensors whose bytes are somewhere in its own memory.
    if location.contains("_ORT_MEM_ADDR_") {
        return Err("an address in memory for a path");
    }
    if location.starts_with('/') {
        return Err("an absolute path");
    }
    if location.contains(['\\', ':']) || location.contains(char::is_control) {
        return Err("a path with backslashes, colons or control characters");
    }
    if location.split('/').any(|part| part == "..") {
        return Err("a path that leads out of its folder");
    }
    if location.split('/').any(|part| part.is_empty() || part == ".") {
        return Err("a path with empty parts");
    }
    Ok(())
}

/// Opens `location`, which [`check`] passed, below `folder`; gives the file and its size.
pub(super) fn beside(folder: &Path, location: &str) -> Result<(File, u64)> {
    let path = folder.join(location);
    let failed = |source| Error::Read { path: path.clone(), source };
    let wrong = |found: String, expected: &str| Error::Graph {
        what: format!("the file of weights {}", path.display()),
        found,
        expected: expected.into(),
    };
    let blobs = Blobs::of(folder);
    let opened = match (beneath(folder, location), &blobs) {
        (Err(error), Some(blobs)) if is_link(&error) => blobs.open(&path).map(|file| (file, true)),
        (opened, _) => opened.map(|file| (file, false)),
    };
    let (file, is_blob) = opened.map_err(|error| {
        let expected = "a regular file in the model's folder";
        if is_link(&error) { wrong("a link, or reached by one".into(), expected) } else { failed(error) }
    })?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { path });
    }
    let names = names(&metadata);
    let is_owners = || std::fs::metadata(folder).is_ok_and(|folder| owner(&folder) == owner(&metadata));
    if names != 1 && !is_blob && !is_owners() && !blobs.is_some_and(|blobs| blobs.hold(&metadata)) {
        let found = format!("a file of another owner with {names} names (hard links)");
        return Err(wrong(found, "a file with one name, or of whom the model's folder belongs to"));
    }
    Ok((file, metadata.len()))
}

/// The folder of blobs of a store, for the models that lie in its folder of snapshots.
struct Blobs(PathBuf);

impl Blobs {
    fn of(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let snapshots = folder.ancestors().skip(1).find(|above| above.ends_with("snapshots"))?;
        let blobs = snapshots.parent()?.join("blobs");
        blobs.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()).then_some(Self(blobs))
    }

    /// Opens what the link at `path` leads to, if it is a blob, or a file that a blob refers to.
    fn open(&self, path: &Path) -> std::io::Result<File> {
        let real = path.canonicalize()?;
        if let Some(blob) = real.strip_prefix(&self.0).ok().and_then(Path::to_str) {
            return beneath(&self.0, blob);
        }
        if !self.refers(path)? {
            return Err(link());
        }
        let (Some(folder), Some(name)) = (real.parent(), real.file_name().and_then(|name| name.to_str())) else {
            return Err(link());
        };
        let file = beneath(folder, name)?;
        let is_owners = owner(&file.metadata()?) == owner(&self.0.metadata()?);
        if is_owners { Ok(file) } else { Err(link()) }
    }

    /// Whether the link at `path` leads to one of the blobs, whatever that is.
    fn refers(&self, path: &Path) -> std::io::Result<bool> {
        let target = path.with_file_name("").join(path.read_link()?);
        let (Some(folder), Some(_)) = (target.parent(), target.file_name()) else { return Ok(false) };
        Ok(folder.canonicalize()?.starts_with(&self.0))
    }

    /// Whether one of the blobs is this very file under another name.
    #[cfg(unix)]
    fn hold(&self, metadata: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        /// Files of a store that are looked at.
        const FILES: usize = 100_000;
        let is_same = |path: &Path| {
            let found = path.symlink_metadata();
            found.is_ok_and(|found| (found.dev(), found.ino()) == (metadata.dev(), metadata.ino()))
        };
        let list = |folder: &Path| folder.read_dir().into_iter().flatten().flatten();
        // Blobs lie in the folder itself, or in one for each kind of digest.
        let inner = |entry: std::fs::DirEntry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let inside = is_folder.then(|| list(&entry.path())).into_iter().flatten();
            std::iter::once(entry.path()).chain(inside.map(|entry| entry.path()))
        };
        list(&self.0).flat_map(inner).take(FILES).any(|path| is_same(&path))
    }

    #[cfg(not(unix))]
    fn hold(&self, _: &Metadata) -> bool {
        true
    }
}

/// Whose a file is.
#[cfg(unix)]
fn owner(metadata: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> u32 {
    0
}

/// How many names a file has.
#[cfg(unix)]
fn names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Other systems do not say it.
#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}

/// The error for a link where none may be.
fn link() -> std::io::Error {
    std::io::Error::other(Link)
}

#[derive(Debug, thiserror::Error)]
#[error("a link")]
struct Link;

fn is_link(error: &std::io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Link>()).is_some()
}

/// Opens a file below a folder without following any link; waits for nothing.
#[cfg(target_os = "linux")]
fn beneath(folder: &Path, location: &str) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    use rustix::io::Errno;

    let below = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // Opening a pipe does not wait for its writer.
    let how = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&below, location, how, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP | Errno::XDEV) => Err(link()),
        // Systems before 5.6, and containers that forbid what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => checked(folder, location),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
use checked as beneath;

/// The same with what every system has: where the path leads is found out first, and what was opened must be that.
fn checked(folder: &Path, location: &str) -> std::io::Result<File> {
    let root = folder.canonicalize()?;
    let path = location.split('/').fold(root.clone(), |path, part| path.join(part));
    let real = path.canonicalize()?;
    if !real.starts_with(&root) || path.symlink_metadata()?.is_symlink() {
        return Err(link());
    }
    let before = real.symlink_metadata()?;
    if !before.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut how = File::options();
    how.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut how, flags.bits() as i32);
    }
    let file = how.open(&real)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let after = file.metadata()?;
        if (before.dev(), before.ino()) != (after.dev(), after.ino()) || path.canonicalize()? != real {
            return Err(link());
        }
    }
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What `openat2` does for other tests, with what older systems have.
    #[test]
    fn files_are_opened_without_openat2() {
        let root = std::env::temp_dir().join(format!("trillm-formats-{}-checked", std::process::id()));
        let folder = root.join("model");
        std::fs::create_dir_all(folder.join("sub")).expect("a folder");
        std::fs::write(root.join("secret"), "s").expect("a file");
        std::fs::write(folder.join("sub/weights"), "w").expect("a file");
        symlink("sub", folder.join("inner")).expect("a link");
        symlink(&root, folder.join("outer")).expect("a link");
        symlink("../secret", folder.join("link")).expect("a link");
        symlink("sub/weights", folder.join("near")).expect("a link");
        let open = |location| checked(&folder, location);
        assert!(open("sub/weights").is_ok());
        // Within the folder it does not matter where a file lies.
        assert!(open("inner/weights").is_ok());
        for location in ["link", "near", "outer/secret"] {
            assert!(is_link(&open(location).expect_err(location)), "{location}");
        }
        assert_eq!(open("sub").expect_err("a folder").kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(open("absent").expect_err("absent").kind(), std::io::ErrorKind::NotFound);
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            mknodat(CWD, folder.join("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
            assert_eq!(open("pipe").expect_err("a pipe").kind(), std::io::ErrorKind::InvalidInput);
        }
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
