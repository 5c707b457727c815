//! A file whose bytes must stay what they were.
//!
//! What ends a model: the file got shorter (its last pages are gone, and touching them would end the process), or bytes
//! that are in use were written. What does not: a new time without a write (`touch`), and bytes behind the end. A model
//! that has ended stays ended, whatever the file becomes.
//!
//! Nobody can read all weights before each step to see whether they are still the same. So a change is harmless only if
//! something harmless explains it: another length explains a write, and a report of new times explains new times. A
//! write that leaves the length is one over bytes in use, and new times that nobody reported are a write through another
//! mapping. What is explained is compared in samples, too.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use trillm_core::{Error, Result};

use crate::writes::{Reports, Watch};

/// Places of a file that are compared when something harmless was done to it, spread over it, and bytes at each: for
/// what was done along with it.
const SAMPLES: u64 = 128;
const SAMPLE: usize = 64;

/// The system reports a moment after it changes length and times. What nothing explains yet, or what has changed within
/// a pause, is looked at again, at most so often: somebody may append for minutes.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSES: u32 = 10;

/// What can be told of a file without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    reports: Reports,
    length: u64,
    /// When it was last written to or touched, in nanoseconds since 1970.
    modified: u64,
}

impl State {
    fn of(file: &File, watch: Option<&Watch>) -> io::Result<Self> {
        // The reports first: what they tell of is then in the rest.
        let reports = watch.map_or(Reports::default(), Watch::reports);
        let metadata = file.metadata()?;
        Ok(Self { reports, length: metadata.len(), modified: nanoseconds(&metadata) })
    }

    /// Whether something that leaves the bytes in use as they are explains how it became another.
    fn is_harmless_after(&self, before: &Self) -> bool {
        let written = self.reports.writes != before.reports.writes;
        let touched = self.reports.touches != before.reports.touches;
        self.length != before.length || (touched && !written)
    }
}

/// A file that is in use.
pub struct Watched {
    path: PathBuf,
    /// Kept open for what a path could no longer tell once the file is replaced.
    file: File,
    /// Bytes of it that are in use.
    size: u64,
    watch: Option<Watch>,
    /// How it was when it was last found to be harmless.
    seen: Mutex<State>,
    samples: Vec<u8>,
    /// Why it cannot be used any more.
    ended: OnceLock<String>,
}

impl Watched {
    /// Watches a file that `engine` maps by itself.
    ///
    /// # Errors
    /// [`Error::Load`], [`Error::NoFile`].
    pub fn open(engine: &'static str, path: &Path) -> Result<Self> {
        let failed = |error: io::Error| Error::unopened(engine, path, &error);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        Self::new(file, path, size).map_err(failed)
    }

    /// Watches the first `size` bytes of an open file, which are all it has.
    pub(crate) fn new(file: File, path: &Path, size: u64) -> io::Result<Self> {
        let watch = Watch::new(&file);
        let seen = Mutex::new(State::of(&file, watch.as_ref())?);
        let samples = samples(&file, size)?;
        Ok(Self { path: path.into(), file, size, watch, seen, samples, ended: OnceLock::new() })
    }

    /// Checks that the bytes are what they were; the error is in the name of `engine`.
    ///
    /// # Errors
    /// [`Error::Changed`], for ever once it was given.
    pub fn check(&self, engine: &'static str) -> Result<()> {
        let ended = match self.ended.get() {
            Some(what) => what,
            None => match self.look() {
                Ok(()) => return Ok(()),
                Err(what) => self.ended.get_or_init(|| what),
            },
        };
        Err(Error::Changed { engine, path: self.path.clone(), what: ended.clone() })
    }

    fn look(&self) -> std::result::Result<(), String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.state()?;
        if now == *seen {
            return Ok(());
        }
        let mut settled = false;
        for _ in 0..PAUSES {
            sleep(PAUSE);
            let later = self.state()?;
            settled = later == now && now.is_harmless_after(&seen);
            now = later;
            if settled {
                break;
            }
        }
        let harmless = self.watch.is_some() && now.is_harmless_after(&seen);
        if !harmless || !samples(&self.file, self.size).is_ok_and(|samples| samples == self.samples) {
            return Err("was changed while it was in use".to_owned());
        }
        if settled {
            *seen = now;
        }
        Ok(())
    }

    /// How it is now.
    ///
    /// # Errors
    /// It is too short.
    fn state(&self) -> std::result::Result<State, String> {
        let state = State::of(&self.file, self.watch.as_ref()).map_err(|error| error.to_string())?;
        if state.length < self.size {
            let (now, before) = (state.length, self.size);
            return Err(format!("was changed while it was in use, from {before} bytes to {now}"));
        }
        Ok(state)
    }
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
