//! Who fetches a model, so that others wait instead of fetching it too.
//!
//! A claim is a file that is made in whole or not at all: it is written under a private name and then linked to its
//! own, which fails if someone is there. What ends it, and in which races:
//!
//! * *Its owner lets go, or is dead, or has not kept it alive for a minute.* Whoever wants to end a claim first gets
//!   the right to end this very one, itself a claim, named by the content of what it ends. Then it looks again, and
//!   replaces the claim or removes it. So of many who find a dead owner one takes over, by a rename, and the name is
//!   never free in between; and an owner that was stopped and goes on cannot remove its successor's.
//! * *Who has the right dies too.* Its right is a claim of a dead owner, and is taken over like any other.
//! * *A process is stopped for a minute between looking and renaming.* Then two may hold one claim. Nothing breaks:
//!   see [`Claim`].
//!
//! Time is the file system's: two machines with one folder need not agree about theirs.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime},
};

use crate::{Digest, Store, files, owner::Owner, store};

/// How long a claim is believed without a sign of life.
const STALE: Duration = Duration::from_mins(1);

/// How many in a row may have died in the microseconds that ending a claim takes.
const MAX_DEPTH: u32 = 4;

/// Held while one process fetches a model. Freed when dropped; taken over when its process is gone, or has not
/// [kept it alive](Self::keep) for a minute.
///
/// Nothing breaks without it: whoever fetches has a folder of its own in `partials/`, so the worst case is that two
/// processes fetch the same bytes, which the store takes from both. So where the file system cannot keep a claim, it
/// counts as granted. It needs no file lock: a claim is a file that is created or not.
#[derive(Debug)]
pub struct Claim {
    store: Store,
    /// Where its file is; `None` where there is nothing to hold.
    path: Option<PathBuf>,
    /// What is in the file: no other claim has the same.
    content: Vec<u8>,
    /// Not of a child that was forked since.
    pid: u32,
    /// 0 for a claim, 1 for the right to end one, 2 for the right to end such a right.
    depth: u32,
}

impl Store {
    /// Tries to become the one process that fetches this, whatever `key` names; `None` while another one does.
    pub fn claim(&self, key: &str) -> Option<Claim> {
        Claim::attempt(self, self.claims().join(store::key(key)), 0)
    }
}

impl Claim {
    /// Says that this process is still at it. To be called every few seconds.
    pub fn keep(&self) {
        let Some(path) = self.path.as_ref().filter(|_| self.pid == process::id()) else { return };
        // Writes what is there, so that the file system sets the time, and not onto another's. Best effort: a claim
        // that cannot be kept is taken over, which does no harm.
        let _ = File::options().read(true).write(true).open(path).and_then(|mut file| {
            if read(&mut file)? == self.content {
                file.rewind()?;
                file.write_all(&self.content)?;
            }
            io::Result::Ok(())
        });
    }

    fn attempt(store: &Store, path: PathBuf, depth: u32) -> Option<Self> {
        let name = files::unique(Path::new(""));
        let content = format!("{} {}\n", Owner::me(), name.display()).into_bytes();
        let mut claim = Self { store: store.clone(), path: None, content, pid: process::id(), depth };
        let Ok(private) = store.scratch(&claim.content) else { return Some(claim) };
        let placed = claim.place(&private, &path);
        // Gone if it was renamed; the sweep takes what stays.
        let _ = fs::remove_file(&private);
        match placed {
            Ok(true) => claim.path = Some(path),
            Ok(false) => return None,
            // Nobody can hold a claim here.
            Err(_) => {}
        }
        Some(claim)
    }

    /// Makes `private` the claim, if it is free or over.
    fn place(&self, private: &Path, path: &Path) -> io::Result<bool> {
        let now = fs::metadata(private)?.modified()?;
        // Again where one is freed while we look at it.
        for _ in 0..16 {
            if self.create(private, path)? {
                return Ok(true);
            }
            let Some(found) = Found::at(path) else { continue };
            if !found.is_over(now) || self.depth == MAX_DEPTH {
                return Ok(false);
            }
            let Some(right) = Self::to_end(&self.store, &found.content, self.depth + 1) else { return Ok(false) };
            if Found::at(path).is_some_and(|again| again.content == found.content && again.is_over(now)) {
                return fs::rename(private, path).map(|()| true);
            }
            drop(right);
        }
        Ok(false)
    }

    /// `false` if there is a claim already.
    fn create(&self, private: &Path, path: &Path) -> io::Result<bool> {
        // Not every file system has links. A claim that is seen between the creation and the writing is nobody's, and
        // so believed for a minute.
        let created = fs::hard_link(private, path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            _ => File::create_new(path).and_then(|mut file| file.write_all(&self.content)),
        });
        match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            created => created.map(|()| true),
        }
    }

    /// The right to end the claim of this content. No name of a claim begins with `~`.
    fn to_end(store: &Store, content: &[u8], depth: u32) -> Option<Self> {
        Self::attempt(store, store.claims().join(format!("~{}", Digest::of(content))), depth)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(path) = self.path.as_ref().filter(|_| self.pid == process::id()) else { return };
        // Who has a right was looking a moment ago, so nobody takes it away.
        let right = (self.depth == 0).then(|| Self::to_end(&self.store, &self.content, 1));
        // Nobody's right: someone takes the claim over just now.
        if !matches!(right, Some(None)) && Found::at(path).is_some_and(|found| found.content == self.content) {
            // Best effort: it is taken over once this process is gone.
            let _ = fs::remove_file(path);
        }
    }
}

/// A claim, as it lies there.
struct Found {
    content: Vec<u8>,
    modified: SystemTime,
}

impl Found {
    /// `None` if there is none.
    fn at(path: &Path) -> Option<Self> {
        let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()?;
        // What cannot be read has an unknown owner.
        let content = File::open(path).and_then(|mut file| read(&mut file)).unwrap_or_default();
        Some(Self { content, modified })
    }

    fn is_over(&self, now: SystemTime) -> bool {
        let owner = str::from_utf8(&self.content).ok().and_then(|text| text.split(' ').next()?.parse::<Owner>().ok());
        owner.and_then(|owner| owner.alive()) == Some(false)
            || now.duration_since(self.modified).is_ok_and(|age| age > STALE)
    }
}

/// No claim of ours is longer.
fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(1024).read_to_end(&mut content)?;
    Ok(content)
}
