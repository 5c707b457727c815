//! A download: what of it is there, over any number of attempts and processes.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use trillm_core::PerProcess;

use crate::{
    Blob, Error, Expected, Result, Store,
    chunks::{self, CHUNK, Chunks, Whole},
    commit::Finished,
    files::{self, At},
    journal::Journal,
    owner::Owner,
    record::is_shared,
    store::key as readable,
};

/// A file of known size on its way into the store, written by several connections at once, at any place. Chunks that
/// arrived whole are in its journal, with their hashes; a later attempt finds them again.
#[derive(Debug)]
pub struct Partial {
    shared: Arc<Shared>,
}

/// One connection's place in a [`Partial`]: writes onwards from where it began. What it left of a chunk that it did not
/// finish does not count.
#[derive(Debug)]
pub struct SpanWriter {
    shared: Arc<Shared>,
    position: u64,
    /// Of the chunk that the position is in.
    chunk: Chunks,
    /// The chunk that only this writer may write, once it wrote to it.
    taken: Option<usize>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    key: String,
    open: Open,
    file: File,
    size: u64,
    expected: Expected,
    /// Whether the blob that is there is known to be wrong.
    mends: bool,
    arrived: Mutex<Arrived>,
    sum: Mutex<Sum>,
}

#[derive(Debug)]
struct Arrived {
    chunks: Vec<Chunk>,
    journal: Journal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Missing,
    /// A writer is at it.
    Taken,
    /// It is there, and never written again.
    Done(u64),
}

/// The hash of the whole file, which can only be taken in order.
#[derive(Debug)]
struct Sum {
    /// As far as possible: into a chunk that may yet be given up.
    now: Whole,
    /// As far as chunks are done.
    safe: Whole,
}

/// A folder that this process writes to, and no other one.
#[derive(Debug)]
struct Open {
    folder: PathBuf,
}

/// The names of those folders.
static OPEN: PerProcess<Mutex<BTreeSet<OsString>>> = PerProcess::new();

/// The largest file, in bytes. No disk has more, but some file systems would promise it.
const LARGEST: u64 = 16 << 40;

impl Store {
    /// A download of this size. `key` names the content where the source does (a digest, or URL and `ETag`): what an
    /// earlier attempt of this key left is checked and gone on with.
    pub fn partial(&self, key: &str, size: u64, expected: Expected) -> Result<Partial> {
        Partial::open(self, key, size, expected, false)
    }
}

impl Partial {
    pub(crate) fn open(store: &Store, key: &str, size: u64, expected: Expected, mends: bool) -> Result<Self> {
        if size > LARGEST {
            return Err(Error::InvalidModel { reason: format!("{key} has {size} bytes, expected at most {LARGEST}") });
        }
        let of_key = store.partials().join(readable(key));
        let mine = Open::new(&of_key);
        // What a dead process left, if it can be used; else a new folder.
        for left in abandoned(&of_key) {
            // One wins, where several see the same.
            if fs::rename(&left, &mine.folder).is_ok() {
                match mine.files(key, size) {
                    Err(Error::DiskFull { doing, path }) => return Err(Error::DiskFull { doing, path }),
                    // Best effort: what stays in the way is an error below.
                    Err(_) => drop(fs::remove_dir_all(&mine.folder)),
                    Ok(files) => return Ok(Self::new(store, key, expected, mends, mine, files)),
                }
            }
        }
        fs::create_dir_all(&mine.folder).at("create", &mine.folder)?;
        let files = mine.files(key, size)?;
        Ok(Self::new(store, key, expected, mends, mine, files))
    }

    fn new(store: &Store, key: &str, expected: Expected, mends: bool, open: Open, files: Files) -> Self {
        let Files { data, size, arrived } = files;
        let whole = Whole::new(&expected, Some(size));
        let (store, key) = (store.clone(), key.to_owned());
        let sum = Mutex::new(Sum { now: whole.clone(), safe: whole });
        let shared = Shared { store, key, open, file: data, size, expected, mends, arrived: Mutex::new(arrived), sum };
        Self { shared: Arc::new(shared) }
    }

    /// The size of the whole file, in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// The ranges that are not there, in order; they begin at chunks. Those that writers are at are among them.
    pub fn missing(&self) -> Vec<Range<u64>> {
        let arrived = lock(&self.shared.arrived);
        let missing = arrived.chunks.iter().enumerate().filter(|(_, chunk)| chunk.hash().is_none());
        chunks::ranges(missing.map(|(index, _)| index), self.shared.size)
    }

    /// Whether a chunk is not there.
    pub(crate) fn lacks(&self, index: usize) -> bool {
        lock(&self.shared.arrived).chunks[index].hash().is_none()
    }

    /// Begins to write at the start of a missing chunk.
    pub fn writer(&self, at: u64) -> Result<SpanWriter> {
        if at >= self.shared.size || !at.is_multiple_of(CHUNK) {
            return Err(self.shared.incomplete(format!("no chunk of it begins at {at}")));
        }
        Ok(SpanWriter { shared: self.shared.clone(), position: at, chunk: Chunks::default(), taken: None })
    }

    /// Makes the file a blob, if all of it is there and it is what was expected. If it is not that, nothing of it is
    /// kept.
    pub fn commit(&self) -> Result<Blob> {
        let shared = &*self.shared;
        let hashes: Option<Vec<_>> = lock(&shared.arrived).chunks.iter().map(|chunk| chunk.hash()).collect();
        let Some(hashes) = hashes else {
            return Err(shared.incomplete(format!("{:?} are missing", self.missing())));
        };
        let mut sum = lock(&shared.sum);
        shared.go_on(&mut sum)?;
        let finished = Finished {
            what: &shared.key,
            path: &shared.open.folder.join("data"),
            file: &shared.file,
            sums: sum.now.clone().finish(),
            hashes,
            mends: shared.mends,
        };
        let committed = shared.store.commit(finished, &shared.expected);
        if matches!(committed, Ok(_) | Err(Error::DigestMismatch { .. })) {
            self.discard();
            // What other attempts of it left is of no use any more.
            for left in shared.open.folder.parent().map(abandoned).unwrap_or_default() {
                let _ = fs::remove_dir_all(left);
            }
        }
        committed
    }

    /// Throws away what is there.
    pub fn discard(&self) {
        // Best effort: what stays is collected.
        let _ = fs::remove_dir_all(&self.shared.open.folder);
    }
}

impl SpanWriter {
    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes onwards, into the chunks that follow too. An error if it comes to the end of the file, or to a chunk
    /// that is there or that another writer is at.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        let shared = self.shared.clone();
        while !bytes.is_empty() {
            let index = match self.taken {
                Some(index) => index,
                None => self.take()?,
            };
            let range = shared.range(index);
            let (now, later) = bytes.split_at(bytes.len().min((range.end - self.position) as usize));
            files::write_at(&shared.file, now, self.position).at("write", &shared.open.folder.join("data"))?;
            let mut sum = match shared.sum.try_lock() {
                Ok(sum) => Some(sum),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                // Someone is at it; this part is read again when it is its turn.
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(sum) = sum.as_mut().filter(|sum| sum.now.position() == self.position) {
                sum.now.update(now);
            }
            let mut hash = None;
            self.chunk.update(now, |done| hash = Some(done));
            self.position += now.len() as u64;
            bytes = later;
            if self.position == range.end {
                let hash = hash.or_else(|| self.chunk.rest()).unwrap_or_default();
                {
                    let mut arrived = lock(&shared.arrived);
                    arrived.journal.add(index, hash);
                    arrived.chunks[index] = Chunk::Done(hash);
                }
                self.taken = None;
                if let Some(sum) = &mut sum {
                    shared.go_on(sum)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<usize> {
        if self.position >= self.shared.size {
            return Err(self.shared.incomplete(format!("it ends at {}", self.shared.size)));
        }
        let index = (self.position / CHUNK) as usize;
        let mut arrived = lock(&self.shared.arrived);
        if arrived.chunks[index] != Chunk::Missing {
            return Err(self.shared.incomplete(format!("what begins at {} is there already", self.position)));
        }
        arrived.chunks[index] = Chunk::Taken;
        self.taken = Some(index);
        Ok(index)
    }
}

impl Drop for SpanWriter {
    fn drop(&mut self) {
        let Some(index) = self.taken else { return };
        // Before another one may write there: what was summed up of this chunk may be other bytes than will come.
        let mut sum = lock(&self.shared.sum);
        if sum.now.position() > self.shared.range(index).start {
            sum.now = sum.safe.clone();
        }
        lock(&self.shared.arrived).chunks[index] = Chunk::Missing;
    }
}

impl Shared {
    fn range(&self, index: usize) -> Range<u64> {
        chunks::range(index, self.size)
    }

    fn incomplete(&self, reason: String) -> Error {
        Error::Incomplete { what: self.key.clone(), reason }
    }

    /// Takes the sum on through all chunks that are done, by reading them back: they are in the page cache.
    fn go_on(&self, sum: &mut Sum) -> Result<()> {
        let mut buffer = Vec::new();
        loop {
            let position = sum.now.position();
            // The chunk that the sum is in, or has just come to the end of.
            let touched = position.div_ceil(CHUNK);
            if touched > 0 && !self.is_done(touched - 1) {
                return Ok(());
            }
            let inside = position < self.size && !position.is_multiple_of(CHUNK);
            if !inside {
                sum.safe = sum.now.clone();
                if position == self.size || !self.is_done(touched) {
                    return Ok(());
                }
            }
            let index = position / CHUNK;
            files::each_piece_at(&self.file, position..self.range(index as usize).end, &mut buffer, |piece| {
                sum.now.update(piece);
            })
            .at("read", &self.open.folder.join("data"))?;
        }
    }

    fn is_done(&self, index: u64) -> bool {
        matches!(lock(&self.arrived).chunks[index as usize], Chunk::Done(_))
    }
}

impl Chunk {
    fn hash(self) -> Option<u64> {
        match self {
            Self::Done(hash) => Some(hash),
            Self::Missing | Self::Taken => None,
        }
    }
}

/// The files of a download, open.
struct Files {
    data: File,
    size: u64,
    arrived: Arrived,
}

impl Open {
    fn new(of_key: &Path) -> Self {
        let folder = of_key.join(format!("{}-{}", Owner::me(), files::unique(Path::new("")).display()));
        lock(OPEN.get(Mutex::default)).insert(name(&folder));
        Self { folder }
    }

    /// Opens what is there, or makes it.
    fn files(&self, key: &str, size: u64) -> Result<Files> {
        let path = self.folder.join("data");
        own(&path)?;
        let mut options = File::options();
        let data = options.create(true).truncate(false).read(true).write(true).open(&path).at("create", &path)?;
        data.set_len(size).at("write", &path)?;
        let journal = self.folder.join("journal");
        let mut hashes = vec![None; chunks::count(size)];
        for (index, hash) in Journal::read(&journal, key, size) {
            if let Some(slot) = hashes.get_mut(index) {
                // After a power cut, what the journal has may not be there.
                *slot = chunk_hash(&data, chunks::range(index, size)).ok().filter(|found| *found == hash);
            }
        }
        let journal = Journal::create(&journal, key, size, &hashes)?;
        let chunks = hashes.into_iter().map(|hash| hash.map_or(Chunk::Missing, Chunk::Done)).collect();
        Ok(Files { data, size, arrived: Arrived { chunks, journal } })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(OPEN.get(Mutex::default)).remove(&name(&self.folder));
    }
}

/// Makes sure that data which a dead process left are a file of the store's own, and can be written: it may have been
/// killed when they were on their way to being a blob.
fn own(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.is_file() || is_shared(path).at("inspect", path)? {
        return Err(Error::PermissionDenied { doing: "go on with", path: path.to_owned() });
    }
    #[cfg(unix)]
    if metadata.permissions().readonly() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).at("go on with", path)?;
    }
    Ok(())
}

/// Folders of this download that no living process writes to.
fn abandoned(of_key: &Path) -> Vec<PathBuf> {
    let me = Owner::me();
    let is_real = fs::symlink_metadata(of_key).is_ok_and(|metadata| metadata.is_dir());
    let entries = is_real.then(|| fs::read_dir(of_key)).into_iter().flatten().flatten().flatten();
    let left = entries.filter(|entry| {
        let owner = entry.file_name().to_str().and_then(Owner::of_name);
        let is_left = |owner: Owner| {
            owner.alive() == Some(false)
                || (owner == me && !lock(OPEN.get(Mutex::default)).contains(&name(&entry.path())))
        };
        owner.is_some_and(is_left) && entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    let mut left: Vec<_> = left.map(|entry| entry.path()).collect();
    // The one that got furthest comes first.
    let length = |path: &PathBuf| fs::metadata(path.join("journal")).map_or(0, |journal| journal.len());
    left.sort_by_key(|path| Reverse(length(path)));
    left
}

/// What tells a folder from all others, by whatever path the store was opened.
fn name(folder: &Path) -> OsString {
    folder.file_name().unwrap_or_default().to_owned()
}

/// The hash of a chunk as it is on the disk.
pub(crate) fn chunk_hash(file: &File, range: Range<u64>) -> io::Result<u64> {
    let mut chunk = Chunks::default();
    let mut found = None;
    files::each_piece_at(file, range, &mut Vec::new(), |piece| chunk.update(piece, |hash| found = Some(hash)))?;
    Ok(found.or_else(|| chunk.rest()).unwrap_or_default())
}

/// What a thread that panicked left is as whole as what one left that did not: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
