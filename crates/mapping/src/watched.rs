//! A file whose bytes must stay what they were.
//!
//! What ends a model: the file got shorter (its last pages are gone, and touching them would end the process), or bytes
//! that are in use were written. What does not: a new time without a write (`touch`), and bytes behind the end. A model
//! that has ended stays ended, whatever the file becomes.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use trillm_core::{Error, Result};

use crate::writes::Watch;

/// Places of a file that are compared when its times have changed, spread over it, and bytes at each: for changes that
/// no watch reports, as those of another machine on a shared disk.
const SAMPLES: u64 = 128;
const SAMPLE: usize = 64;

/// A file that is in use.
pub struct Watched {
    path: PathBuf,
    /// Kept open for what a path could no longer tell once the file is replaced.
    file: File,
    /// Bytes of it that are in use.
    size: u64,
    /// When it was last written to or touched, as far as that was found to be harmless.
    modified: AtomicU64,
    watch: Option<Watch>,
    /// Writes that were found to be harmless.
    writes: AtomicU64,
    samples: Vec<u8>,
    /// Why it cannot be used any more.
    ended: OnceLock<String>,
}

impl Watched {
    /// Watches a file that `engine` maps by itself.
    ///
    /// # Errors
    /// [`Error::Load`].
    pub fn open(engine: &'static str, path: &Path) -> Result<Self> {
        let failed = |error: io::Error| Error::load(engine, path, error.to_string());
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        Self::new(file, path, size).map_err(failed)
    }

    /// Watches the first `size` bytes of an open file, which are all it has.
    pub(crate) fn new(file: File, path: &Path, size: u64) -> io::Result<Self> {
        let watch = Watch::new(&file);
        let writes = watch.as_ref().map_or(0, Watch::writes);
        let modified = nanoseconds(&file.metadata()?);
        let samples = samples(&file, size)?;
        Ok(Self {
            path: path.into(),
            file,
            size,
            modified: AtomicU64::new(modified),
            watch,
            writes: AtomicU64::new(writes),
            samples,
            ended: OnceLock::new(),
        })
    }

    /// Checks that the bytes are what they were; the error is in the name of `engine`.
    ///
    /// # Errors
    /// [`Error::Engine`], for ever once it was given.
    pub fn check(&self, engine: &'static str) -> Result<()> {
        if let Some(reason) = self.ended.get() {
            return Err(failed(engine, reason));
        }
        let Err(what) = self.look() else { return Ok(()) };
        let advice = "replace model files by renaming, or load with copy, and load the model again";
        let reason = self.ended.get_or_init(|| format!("{} {what}: {advice}", self.path.display()));
        Err(failed(engine, reason))
    }

    fn look(&self) -> std::result::Result<(), String> {
        let metadata = self.file.metadata().map_err(|error| error.to_string())?;
        if metadata.len() < self.size {
            let (now, before) = (metadata.len(), self.size);
            return Err(format!("was changed while it was in use, from {before} bytes to {now}"));
        }
        let modified = nanoseconds(&metadata);
        if modified == self.modified.load(Relaxed) {
            return Ok(());
        }
        let changed = Err("was changed while it was in use".to_owned());
        let Some(watch) = &self.watch else { return changed };
        let writes = watch.writes();
        let written = writes != self.writes.load(Relaxed);
        // Written, and no longer than before: over bytes that are in use.
        if written && metadata.len() == self.size {
            return changed;
        }
        match samples(&self.file, self.size) {
            Ok(samples) if samples == self.samples => {}
            _ => return changed,
        }
        self.writes.store(writes, Relaxed);
        self.modified.store(modified, Relaxed);
        Ok(())
    }
}

fn failed(engine: &'static str, reason: &str) -> Error {
    Error::Engine { engine, reason: reason.to_owned(), log: Vec::new() }
}

/// When a file was changed, in nanoseconds since 1970; 0 where the system does not say.
fn nanoseconds(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Bytes from all over the first `size` bytes of a file, its beginning and end among them.
fn samples(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; SAMPLE * SAMPLES as usize];
    let last = size.saturating_sub(SAMPLE as u64);
    for (index, sample) in (0..).zip(bytes.chunks_mut(SAMPLE)) {
        let length = sample.len().min(size as usize);
        file.read_exact_at(
            &mut sample[..length],
            last / (SAMPLES - 1) * index + last % (SAMPLES - 1) * index / (SAMPLES - 1),
        )?;
    }
    Ok(bytes)
}
