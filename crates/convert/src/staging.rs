//! A file or folder that is written under another name beside its destination, and renamed when it is complete.
//!
//! Beside it, because a rename is only then one step. Dropped before that, it is removed: a cancelled or failed
//! conversion leaves nothing. What a killed process leaves is called `.NAME.OWNER-N.partial`, and the next conversion to
//! that folder, whatever its name, or a collection (`record.rs`), sees that its owner is dead and removes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use trillm_store::Owner;

use crate::{Error, Result};

/// What is not complete yet.
const PARTIAL: &str = "partial";

/// What made room for something new, which has its name in the next moment.
const OLD: &str = "old";

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
        let path = destination.with_file_name(hidden(&name.to_string_lossy(), PARTIAL));
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
            let old = self.destination.with_file_name(hidden(&name.unwrap_or_default(), OLD));
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

fn folder(destination: &Path) -> &Path {
    destination.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses a destination in a folder that is not there.
pub(crate) fn check_folder(destination: &Path) -> Result<()> {
    let folder = folder(destination);
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    if fs::metadata(folder).map_err(failed)?.is_dir() {
        Ok(())
    } else {
        Err(failed(io::ErrorKind::NotADirectory.into()))
    }
}

/// The error for people, who know nothing of another name: what cannot be written under that is named by where it goes.
pub(crate) fn in_place(error: Error, destination: &Path) -> Error {
    let Error::Write { path, source } = error else { return error };
    let name = destination.file_name().unwrap_or_default().to_string_lossy();
    let below = path.strip_prefix(folder(destination)).unwrap_or(&path);
    let mut parts = below.components();
    let first = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    if !(first.starts_with(&format!(".{name}.")) && first.ends_with(PARTIAL)) {
        return Error::Write { path, source };
    }
    let rest = parts.as_path();
    let path = if rest.as_os_str().is_empty() { destination.to_owned() } else { destination.join(rest) };
    Error::Write { path, source }
}

fn hidden(name: &str, what: &str) -> String {
    format!(".{name}.{}.{what}", mine())
}

/// A name that begins with its owner, this process, and that no other one has.
pub(crate) fn mine() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", Owner::me(), COUNT.fetch_add(1, Relaxed))
}

/// Puts right what processes that are dead left beside `destination`: what they had not completed is removed, and what
/// had made room gets its name again if nothing has taken it. Nothing depends on it, so what cannot be done does not
/// matter. Gives the bytes of each that was removed.
pub(crate) fn clear(destination: &Path) -> Vec<u64> {
    let mut removed = Vec::new();
    let folder = folder(destination);
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let Some((name, what)) = path.file_name().and_then(|name| left(name.to_str()?)) else { continue };
        let lost = path.with_file_name(name);
        if what == OLD && fs::symlink_metadata(&lost).is_err() {
            let _ = fs::rename(&path, &lost);
            continue;
        }
        let bytes = size(&path);
        if remove(&path).is_ok() {
            removed.push(bytes);
        }
    }
    removed
}

/// Of the name of something that a dead process left: the name it should have had, and what it is.
fn left(name: &str) -> Option<(&str, &str)> {
    let (rest, what) = name.strip_prefix('.')?.rsplit_once('.')?;
    // An owner has four dots of its own.
    let (at, _) = rest.rmatch_indices('.').nth(4)?;
    let (name, owner) = (&rest[..at], Owner::of_name(&rest[at + 1..])?);
    // Of another machine's processes nothing is known.
    ([PARTIAL, OLD].contains(&what) && owner.alive() == Some(false)).then_some((name, what))
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

/// Bytes of a file, or of all in a folder, as far as they can be read.
fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
        }
        Ok(data) => data.len(),
        Err(_) => 0,
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests {
    use super::*;

    /// A process that is no more: this one, with another start.
    pub(crate) fn nobody() -> String {
        let me = Owner::me().to_string();
        let (process, started) = me.rsplit_once('.').expect("an owner");
        let started: u64 = started.parse().expect("a number");
        format!("{process}.{}", started + 1)
    }

    pub(crate) fn dead(name: &str, what: &str) -> String {
        format!(".{name}.{}-0.{what}", nobody())
    }

    #[test]
    fn only_what_the_dead_left_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let kept = [".out.gguf.12.partial", ".out.partial", "out.gguf", &hidden("out.gguf", PARTIAL), ".partial"];
        for name in kept {
            fs::write(at(name), "kept").expect("a file");
        }
        fs::write(at(&dead("out.gguf", PARTIAL)), "half").expect("a file");
        fs::create_dir_all(at(&dead("a folder", PARTIAL)).join("config")).expect("a folder");
        let mut removed = clear(&at("another.gguf"));
        removed.sort_unstable();
        assert_eq!(removed, [0, 4]);
        let mut found: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        let mut kept = kept.map(str::to_owned).to_vec();
        found.sort();
        kept.sort();
        assert_eq!(found, kept);
    }

    #[test]
    fn what_made_room_comes_back_if_nothing_took_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["lost", "replaced"] {
            fs::create_dir(at(&dead(name, OLD))).expect("a folder");
        }
        fs::write(at(&dead("lost", OLD)).join("config.json"), "old").expect("a file");
        fs::create_dir(at("replaced")).expect("a folder");
        clear(&at("lost"));
        assert_eq!(fs::read_to_string(at("lost").join("config.json")).expect("the old one"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}
