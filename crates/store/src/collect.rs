//! Taking away what nobody needs any more.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    Digest, Manifest, Result, Store, files, files::At, files::Gone, generations::Generations, owner::Owner,
    wanted::Unwanted,
};

/// How long a blob without a manifest stays: its model may still be on its way.
const ORPHAN: Duration = Duration::from_hours(24);

/// How long an unfinished download waits for someone to go on with it.
const ABANDONED: Duration = Duration::from_hours(7 * 24);

/// What a collection took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Generations that were forgotten: reference and id.
    pub generations: Vec<(String, String)>,
    /// Blobs that were removed.
    pub blobs: u64,
    /// Unfinished downloads that were removed.
    pub partials: u64,
    /// How many bytes that freed.
    pub freed: u64,
    /// Bytes that nobody refers to, but which stay because a process uses them.
    pub leased: u64,
}

impl Store {
    /// Forgets all but the newest `keep` generations of every model (never the one in use), then removes blobs that no
    /// manifest refers to and no process leases, and what downloads left that nobody went on with for a week.
    ///
    /// `None` forgets no generation. A blob that came within the last day stays, for its model may still be on its way,
    /// unless it is of a generation that was just forgotten. A manifest that cannot be read is an error, for it may
    /// refer to anything.
    pub fn collect(&self, keep: Option<usize>) -> Result<Collected> {
        if let Some(problem) = self.list()?.problems.into_iter().next() {
            return Err(problem);
        }
        let mut collected = Collected::default();
        let mut unwanted = Unwanted::default();
        if let Some(keep) = keep {
            for key in self.model_keys()? {
                for manifest in self.forget(&key, keep)? {
                    unwanted.add(&manifest);
                    collected.generations.push((manifest.model.reference.clone(), manifest.model.id().to_string()));
                }
            }
            collected.generations.sort();
        }
        // What is wanted is left out there.
        unwanted.blobs.extend(self.old_blobs()?);
        unwanted.snapshots.extend(named(&self.snapshots())?);
        let freed = self.release(&unwanted)?;
        (collected.blobs, collected.freed) = (freed.blobs, freed.bytes);
        self.drop_records()?;
        self.drop_partials(&mut collected)?;
        if let Some(wanted) = self.wanted()? {
            let size = |blob: &Digest| fs::metadata(self.blob_path(*blob)).map_or(0, |metadata| metadata.len());
            collected.leased = wanted.leased.difference(&wanted.blobs).map(size).sum();
        }
        Ok(collected)
    }

    /// Forgets all but the newest of a model's generations, and the one in use. Gives what it forgot.
    fn forget(&self, key: &str, keep: usize) -> Result<Vec<Manifest>> {
        let folder = self.models().join(key);
        let mut there = Generations::read(&folder, key)?;
        let Some(in_use) = there.take_in_use() else { return Ok(Vec::new()) };
        let in_use = in_use?.model.id();
        let mut old = there.manifests.split_off(keep.min(there.manifests.len()));
        old.retain(|manifest| manifest.model.id() != in_use);
        for manifest in &old {
            let path = folder.join(format!("{}.json", manifest.model.id()));
            fs::remove_file(&path).gone().at("remove", &path)?;
        }
        if !old.is_empty() {
            files::sync_if_there(&folder)?;
        }
        Ok(old)
    }

    /// Blobs that came more than a day ago: what is wanted has a manifest by now.
    fn old_blobs(&self) -> Result<HashSet<Digest>> {
        let mut blobs = named(&self.blobs())?;
        // An imported file may be old; its record is as old as the import.
        let is_new = |path: PathBuf| path.exists() && !is_old(&path, ORPHAN);
        blobs.retain(|blob| is_old(&self.blob_path(*blob), ORPHAN) && !is_new(self.record_path(*blob)));
        Ok(blobs)
    }

    /// Removes records without a blob. A new one may be about to get it.
    fn drop_records(&self) -> Result<()> {
        for path in entries(&self.records())? {
            let blob = path.file_stem().and_then(|stem| stem.to_str()?.parse::<Digest>().ok());
            let orphan = blob.is_some_and(|blob| fs::symlink_metadata(self.blob_path(blob)).is_err());
            if orphan && is_old(&path, ORPHAN) {
                fs::remove_file(&path).gone().at("remove", &path)?;
            }
        }
        Ok(())
    }

    /// Removes downloads that nobody went on with.
    fn drop_partials(&self, collected: &mut Collected) -> Result<()> {
        for key in entries(&self.partials())? {
            // Who may write here may have planted a link to what is not ours.
            if !fs::symlink_metadata(&key).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            for path in entries(&key)? {
                let owner = path.file_name().and_then(|name| Owner::of_name(name.to_str()?));
                let Some(owner) = owner else { continue };
                if owner.alive() == Some(true)
                    || !files::last_touched(&path).is_ok_and(|touched| is_past(touched, ABANDONED))
                {
                    continue;
                }
                // Someone may be going on with it just now: one rename wins.
                if let Some(at) = self.take(&path, "partial")? {
                    collected.partials += 1;
                    collected.freed += on_disk(&at);
                    fs::remove_dir_all(&at).gone().at("remove", &at)?;
                }
            }
            // Fails if there is a download in it. A new one may be about to come.
            if is_old(&key, ORPHAN) {
                let _ = fs::remove_dir(&key);
            }
        }
        Ok(())
    }
}

/// What is in a folder; nothing if it is gone, or none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).at("list", folder)?;
    entries.map(|entry| entry.map(|entry| entry.path()).at("list", folder)).collect()
}

/// What is named by a digest there.
fn named(folder: &Path) -> Result<HashSet<Digest>> {
    let digest = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    Ok(entries(folder)?.iter().filter_map(digest).collect())
}

fn is_old(path: &Path, limit: Duration) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| is_past(modified, limit))
}

fn is_past(time: SystemTime, limit: Duration) -> bool {
    time.elapsed().is_ok_and(|age| age > limit)
}

/// What a folder of files takes up, in bytes: a download's file has holes.
fn on_disk(folder: &Path) -> u64 {
    let size = |path: &PathBuf| fs::symlink_metadata(path).map_or(0, |metadata| allocated(&metadata));
    entries(folder).unwrap_or_default().iter().map(size).sum()
}

/// POSIX leaves the unit of blocks open; every system that we know has 512 bytes.
#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
