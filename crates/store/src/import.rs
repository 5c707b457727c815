//! Files that are on this machine already: taken into the store without a copy where that can be done.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use crate::{
    Blob, Error, Expected, Result, Store,
    chunks::measure,
    commit::Finished,
    files::{self, At},
    record::Record,
};

/// How a file of someone else becomes a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The first of reflink, hard link and reference that this file system can do.
    Auto,
    /// A second file that shares its blocks until either is written.
    Reflink,
    /// A second name for the same file.
    Hardlink,
    /// A symbolic link to where the file is. It breaks when the file is moved.
    Reference,
    /// A copy.
    Copy,
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "link",
            Self::Reflink => "reflink",
            Self::Hardlink => "hard link",
            Self::Reference => "reference",
            Self::Copy => "copy",
        }
    }
}

impl Store {
    /// Makes a file a blob, if it is what is expected, and says how that was done; `None` if the store had its content.
    /// The file is read once.
    pub fn import(&self, path: &Path, how: Link, expected: Expected) -> Result<(Blob, Option<Link>)> {
        // The caches of others are full of links to the files themselves.
        let path = &fs::canonicalize(path).at("find", path)?;
        if !fs::metadata(path).at("inspect", path)?.is_file() {
            return Err(cannot(how, path, "it is not a regular file"));
        }
        // A folder: the sweep goes by when something was written, and the link to an old file is old at once.
        let folder = files::unique(self.staging());
        fs::create_dir(&folder).at("create", &folder)?;
        let imported = self.bring(path, &folder.join("data"), how, &expected);
        // The sweep takes what stays.
        let _ = fs::remove_dir_all(&folder);
        imported
    }

    fn bring(&self, path: &Path, target: &Path, how: Link, expected: &Expected) -> Result<(Blob, Option<Link>)> {
        let private = match how {
            Link::Copy => Some(copy(path, target).map(|()| Link::Copy).map_err(|error| failed(how, path, &error))?),
            Link::Reflink => Some(reflink(path, target).map(|()| how).map_err(|error| failed(how, path, &error))?),
            Link::Auto => reflink(path, target).is_ok().then_some(Link::Reflink),
            Link::Hardlink | Link::Reference => None,
        };
        if let Some(link) = private {
            // What is kept is what is read: nobody else has it.
            let mut file = File::options().read(true).write(true).open(target).at("read", target)?;
            let (sums, hashes) = measure(&mut file, expected).at("read", target)?;
            let there = self.has(sums.sha256, file.metadata().at("inspect", target)?.len())?;
            let what = &path.display().to_string();
            let finished = Finished { what, path: target, file: &file, sums, hashes, mends: false };
            return Ok((self.commit(finished, expected)?, (!there).then_some(link)));
        }
        // Left by a reflink that failed halfway.
        let _ = fs::remove_file(target);
        let mut file = File::open(path).at("read", path)?;
        let before = file.metadata().at("inspect", path)?;
        let (sums, hashes) = measure(&mut file, expected).at("read", path)?;
        expected.check(&path.display().to_string(), &sums)?;
        let blob = Blob { sha256: sums.sha256, size: before.len() };
        let _lease = self.lease(&[blob.sha256])?;
        if self.has(blob.sha256, blob.size)? {
            // A blob that nothing refers to is collected when it and its record are old.
            self.renew_record(blob)?;
            return Ok((blob, None));
        }
        let link = match how {
            Link::Auto => fs::hard_link(path, target)
                .map(|()| Link::Hardlink)
                .or_else(|_| reference(path, target).map(|()| Link::Reference)),
            Link::Hardlink => fs::hard_link(path, target).map(|()| how),
            _ => reference(path, target).map(|()| how),
        };
        let link = link.map_err(|error| failed(how, path, &error))?;
        // What the link leads to must be what was read.
        let after = fs::metadata(target).at("inspect", target)?;
        if !same(&before, &after) {
            return Err(cannot(link, path, "it was changed meanwhile"));
        }
        // Its owner may have written it a moment ago.
        file.sync_all().at("sync", path)?;
        self.place(target, blob, &Record::shared(&after, hashes))?;
        Ok((blob, Some(link)))
    }
}

fn cannot(how: Link, path: &Path, reason: &str) -> Error {
    Error::CannotLink { how: how.name(), path: path.to_owned(), reason: reason.into() }
}

fn failed(how: Link, path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::DiskFull { doing: "copy", path: path.to_owned() }
        }
        _ => cannot(how, path, &error.to_string()),
    }
}

/// Whether a file is the one that was looked at, and was not written since.
fn same(before: &Metadata, after: &Metadata) -> bool {
    #[cfg(unix)]
    let inode = |metadata: &Metadata| std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = |_: &Metadata| 0;
    let modified = |metadata: &Metadata| metadata.modified().ok();
    (before.len(), inode(before), modified(before)) == (after.len(), inode(after), modified(after))
}

#[cfg(target_os = "linux")]
fn reflink(path: &Path, target: &Path) -> io::Result<()> {
    let (source, clone) = (File::open(path)?, File::create_new(target)?);
    Ok(rustix::fs::ioctl_ficlone(&clone, &source)?)
}

#[cfg(not(target_os = "linux"))]
fn reflink(_path: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn reference(path: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(path, target)
}

#[cfg(not(unix))]
fn reference(_path: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn copy(path: &Path, target: &Path) -> io::Result<()> {
    io::copy(&mut File::open(path)?, &mut File::create_new(target)?).map(drop)
}
