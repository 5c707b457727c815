//! Taking blobs away, without a lock, while others put models in that share them.
//!
//! Whoever needs blobs leases them and *then* looks whether they are there; [`Store::put`] does, until its manifest is
//! written. A removal takes blobs away and *then* looks whether a lease or a manifest wants them. Whatever the order of
//! these four steps, either the removal sees the lease and gives the blob back, or the other sees the gap. So a manifest
//! appears only when its blobs are there to stay.
//!
//! What was taken lies in `taken/`, named by who took it and what it is. Whoever misses a blob waits while a removal
//! looks at it. If that is killed before it has looked, the next to miss the blob, or to open the store, gives it back.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    Digest, Result, Store, files,
    files::At,
    files::Gone,
    owner::Owner,
    wanted::{Unwanted, Wanted},
};

/// What a removal freed.
#[derive(Default)]
pub(crate) struct Freed {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
}

/// What a removal took, and where it lies.
struct Taken {
    blobs: Vec<(Digest, PathBuf)>,
    snapshots: Vec<(Digest, PathBuf)>,
}

impl Store {
    /// Removes what nobody wants of this.
    pub(crate) fn release(&self, unwanted: &Unwanted) -> Result<Freed> {
        let Some(wanted) = self.wanted()? else { return Ok(Freed::default()) };
        self.look_again(self.take_away(unwanted, &wanted))
    }

    fn take_away(&self, unwanted: &Unwanted, wanted: &Wanted) -> Taken {
        // What cannot be moved stays: on some systems a file that is mapped.
        let blobs = unwanted.blobs.iter().filter(|blob| !wanted.blob(**blob));
        let blobs = blobs.filter_map(|blob| Some((*blob, self.take_blob(*blob)?))).collect();
        let snapshots = unwanted.snapshots.iter().filter(|id| !wanted.snapshot(**id, &self.links(**id)));
        let snapshots = snapshots.filter_map(|id| Some((*id, self.take(&self.links(*id), "links").ok()??))).collect();
        Taken { blobs, snapshots }
    }

    fn look_again(&self, taken: Taken) -> Result<Freed> {
        let mut freed = Freed::default();
        let again = self.wanted();
        // Whatever fails, the rest is given back or removed too.
        let wanted = again.as_ref().ok().and_then(Option::as_ref);
        let mut outcome = Ok(());
        for (blob, at) in taken.blobs {
            outcome = outcome.and(if wanted.is_none_or(|wanted| wanted.blob(blob)) {
                self.give_back(blob, &at)
            } else {
                drop_blob(&at).map(|bytes| {
                    freed.blobs += u64::from(bytes.is_some());
                    freed.bytes += bytes.unwrap_or_default();
                })
            });
        }
        for (id, at) in taken.snapshots {
            // Fails if someone made them anew, and then these are the ones to throw away.
            let given_back =
                wanted.is_none_or(|wanted| wanted.snapshot(id, &at)) && fs::rename(&at, self.links(id)).is_ok();
            if !given_back {
                outcome = outcome.and(fs::remove_dir_all(&at).gone().at("remove", &at));
            }
        }
        again.and(outcome).map(|()| freed)
    }

    fn links(&self, id: Digest) -> PathBuf {
        self.snapshots().join(id.to_string())
    }

    /// Waits while a removal is looking whether anybody wants a blob.
    pub(crate) fn await_blob(&self, blob: Digest) {
        let what = format!("-{blob}");
        // A look takes milliseconds. Whoever needs a second was stopped.
        for _ in 0..1000 {
            if fs::symlink_metadata(self.blob_path(blob)).is_ok() {
                return;
            }
            self.recover();
            let mut taken = fs::read_dir(self.taken()).into_iter().flatten().flatten();
            if !taken.any(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(&what))) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Gives back what removals took that were killed before they had looked. Best effort: what stays is given back
    /// another time. Whoever still looks at it finds that out.
    pub(crate) fn recover(&self) {
        let entries = fs::read_dir(self.taken()).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        // A blob comes before its record, which goes with it.
        names.sort();
        for name in names {
            if Owner::of_name(&name).and_then(|owner| owner.alive()) == Some(true) {
                continue;
            }
            let at = self.taken().join(&name);
            match name.rsplit('-').next().and_then(|what| what.parse().ok()) {
                Some(blob) => drop(self.give_back(blob, &at)),
                // Links are made again, and the records and generations of what was removed are not wanted.
                None if at.is_dir() => drop(fs::remove_dir_all(&at)),
                None => drop(fs::remove_file(&at)),
            }
        }
    }

    /// Moves something out of sight; `None` if it is gone already.
    pub(crate) fn take(&self, path: &Path, what: &str) -> Result<Option<PathBuf>> {
        let unique = files::unique(Path::new(""));
        let at = self.taken().join(format!("{}-{}-{what}", Owner::me(), unique.display()));
        match fs::rename(path, &at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            renamed => renamed.at("remove", path).map(|()| Some(at)),
        }
    }

    /// With its record, which lies beside it then.
    fn take_blob(&self, blob: Digest) -> Option<PathBuf> {
        let at = self.take(&self.blob_path(blob), &blob.to_string()).ok()??;
        // Best effort: without a record a blob is checked by its size alone, and verified as a whole.
        let _ = fs::rename(self.record_path(blob), record_beside(&at));
        Some(at)
    }

    fn give_back(&self, blob: Digest, at: &Path) -> Result<()> {
        let path = self.blob_path(blob);
        let record = record_beside(at);
        if fs::symlink_metadata(&path).is_ok() {
            // It came anew meanwhile, with a record of its own.
            return drop_blob(at).map(drop);
        }
        if !self.record_path(blob).exists() {
            let _ = fs::rename(&record, self.record_path(blob));
        }
        // The record of a blob that came since stays.
        let _ = fs::remove_file(&record);
        fs::rename(at, &path).gone().at("give back", &path)?;
        files::sync_folder(&self.blobs())
    }
}

/// Its size on disk as far as the store is concerned: of a link to someone else's file nothing. `None` if another
/// process gave it back.
fn drop_blob(at: &Path) -> Result<Option<u64>> {
    // A second name for a file that stays frees nothing, and neither does a reference to one.
    let bytes = fs::symlink_metadata(at)
        .map_or(0, |metadata| if metadata.is_file() && names(&metadata) < 2 { metadata.len() } else { 0 });
    // Best effort: whatever stays is removed when the store is opened.
    let _ = fs::remove_file(record_beside(at));
    match fs::remove_file(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        removed => removed.at("remove", at).map(|()| Some(bytes)),
    }
}

/// How many names a file has.
#[cfg(unix)]
fn names(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn names(_: &fs::Metadata) -> u64 {
    1
}

fn record_beside(at: &Path) -> PathBuf {
    at.with_added_extension("record")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, ModelFile, Source};

    const CONTENT: &[u8] = b"weights";

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs::write(store.blob_path(Digest::of(CONTENT)), CONTENT).unwrap();
        (folder, store)
    }

    fn model() -> Model {
        let sha256 = Digest::of(CONTENT);
        let file = ModelFile { name: "x".parse().unwrap(), sha256, size: CONTENT.len() as u64, origin: None };
        let source = Source::Import { path: "x".into() };
        Model {
            reference: "m".into(),
            source,
            files: vec![file],
            open: None,
            licence: None,
            chat: None,
            notes: Vec::new(),
        }
    }

    /// The first half of a removal.
    fn take_all(store: &Store) -> Taken {
        let unwanted = Unwanted { blobs: [Digest::of(CONTENT)].into(), snapshots: [model().id()].into() };
        let taken = store.take_away(&unwanted, &store.wanted().unwrap().unwrap());
        assert_eq!(taken.blobs.len(), 1);
        assert!(!store.blob_path(Digest::of(CONTENT)).exists());
        taken
    }

    #[test]
    fn what_nobody_wanted_meanwhile_goes() {
        let (_folder, store) = store();
        fs::write(store.record_path(Digest::of(CONTENT)), b"{}").unwrap();
        let freed = store.look_again(take_all(&store)).unwrap();
        assert_eq!((freed.blobs, freed.bytes), (1, 7));
        assert!(!store.record_path(Digest::of(CONTENT)).exists());
        assert_eq!(fs::read_dir(store.taken()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_second_name_of_a_file_that_stays_frees_nothing() {
        let (folder, store) = store();
        let other = folder.path().join("other");
        fs::hard_link(store.blob_path(Digest::of(CONTENT)), &other).unwrap();
        let freed = store.look_again(take_all(&store)).unwrap();
        assert_eq!((freed.blobs, freed.bytes), (1, 0));
        assert_eq!(fs::read(other).unwrap(), CONTENT);
    }

    #[test]
    fn what_was_leased_meanwhile_is_given_back_with_its_record() {
        let (_folder, store) = store();
        fs::write(store.record_path(Digest::of(CONTENT)), b"{}").unwrap();
        let taken = take_all(&store);
        let _lease = store.lease(&[Digest::of(CONTENT)]).unwrap();
        assert_eq!(store.look_again(taken).unwrap().blobs, 0);
        assert_eq!(fs::read(store.blob_path(Digest::of(CONTENT))).unwrap(), CONTENT);
        assert!(store.record_path(Digest::of(CONTENT)).exists());
        assert_eq!(fs::read_dir(store.taken()).unwrap().count(), 0);
    }

    #[test]
    fn what_came_anew_meanwhile_stays() {
        let (_folder, store) = store();
        let taken = take_all(&store);
        fs::write(store.blob_path(Digest::of(CONTENT)), CONTENT).unwrap();
        store.put(model()).unwrap();
        assert_eq!(store.look_again(taken).unwrap().blobs, 0);
        store.get("m").unwrap();
        assert_eq!(fs::read_dir(store.taken()).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_known_to_be_unwanted_is_given_back() {
        let (_folder, store) = store();
        let taken = take_all(&store);
        let folder = store.models().join("broken");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("broken.json"), b"{").unwrap();
        assert_eq!(store.look_again(taken).unwrap().blobs, 0);
        assert!(store.blob_path(Digest::of(CONTENT)).exists());
    }

    #[test]
    fn a_put_waits_while_a_removal_looks() {
        let (_folder, store) = store();
        let taken = take_all(&store);
        thread::scope(|scope| {
            let put = scope.spawn(|| store.put(model()));
            while fs::read_dir(store.leases()).unwrap().count() == 0 {
                thread::yield_now();
            }
            // Any time: the lease is there.
            thread::sleep(Duration::from_millis(20));
            assert!(!put.is_finished());
            assert_eq!(store.look_again(taken).unwrap().blobs, 0);
            put.join().unwrap().unwrap();
        });
        store.get("m").unwrap();
    }

    #[test]
    fn what_a_killed_removal_took_is_given_back_to_whoever_misses_it() {
        let (_folder, store) = store();
        store.put(model()).unwrap();
        let blob = Digest::of(CONTENT);
        let dead = "00000001.00000001.00000001.1.1";
        let take = || {
            fs::rename(store.blob_path(blob), store.taken().join(format!("{dead}-1-1-1-{blob}"))).unwrap();
            fs::write(store.taken().join(format!("{dead}-1-1-1-{blob}.record")), b"{}").unwrap();
            fs::create_dir(store.taken().join(format!("{dead}-1-1-2-links"))).unwrap();
        };
        take();
        store.get("m").unwrap();
        assert_eq!(fs::read_dir(store.taken()).unwrap().count(), 0);
        assert!(store.record_path(blob).exists());

        take();
        Store::open(store.root()).unwrap();
        assert!(store.blob_path(blob).exists());
        assert_eq!(fs::read_dir(store.taken()).unwrap().count(), 0);
    }

    #[test]
    fn what_another_gave_back_is_no_loss() {
        let (_folder, store) = store();
        let taken = take_all(&store);
        let (blob, at) = &taken.blobs[0];
        store.give_back(*blob, at).unwrap();
        assert_eq!(store.look_again(taken).unwrap().blobs, 0);
        assert!(store.blob_path(Digest::of(CONTENT)).exists());
    }
}
