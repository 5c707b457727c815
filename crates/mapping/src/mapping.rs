//! A file as memory. The only `unsafe` of this crate: what a mapping promises, and what may break it.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memmap2::{Advice, Mmap};
use trillm_core::{Error, Result};

/// A file with weights: mapped, or read into memory of our own.
pub struct Mapping {
    /// The engine that wants it, for errors.
    engine: &'static str,
    path: PathBuf,
    /// Kept open for what a path could no longer tell once the file is replaced.
    file: File,
    identity: Identity,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mmap),
    /// In words, so that what the file aligns to eight bytes is aligned here.
    Read(Vec<u64>),
}

/// What changes when somebody writes to a file.
#[derive(PartialEq)]
struct Identity {
    size: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Mapping {
    /// Opens a file that was `size` bytes long when its header was read. `copy` reads it instead of mapping it.
    ///
    /// # Errors
    /// [`Error::Load`], in the name of `engine`.
    pub fn open(engine: &'static str, path: &Path, size: u64, copy: bool) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::load(engine, path, error.to_string()))?;
        Self::of(engine, file, path, size, copy)
    }

    /// The same of a file that is open; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Load`], in the name of `engine`.
    pub fn of(engine: &'static str, mut file: File, path: &Path, size: u64, copy: bool) -> Result<Self> {
        let failed = |error: io::Error| Error::load(engine, path, error.to_string());
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        if identity.size != size {
            let reason = format!("it had {size} bytes a moment ago and has {} now", identity.size);
            return Err(Error::load(engine, path, reason));
        }
        let bytes = if copy {
            Bytes::Read(read(&mut file, size).map_err(failed)?)
        } else {
            // SAFETY: the mapping is read-only. What it cannot promise is that nobody else writes to or
            // shortens the file: `check` looks before every step, files in the store are read-only, and `copy` is
            // there for file systems where others write. All values of the types that are read from it (integers and
            // floats) are valid, so changed bytes give wrong numbers and nothing worse; a page that is gone ends the
            // process with SIGBUS, which is documented.
            let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
            read_ahead(&map);
            Bytes::Mapped(map)
        };
        Ok(Self { engine, path: path.into(), file, identity, bytes })
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Read(words) => &bytemuck::cast_slice(words)[..self.identity.size as usize],
        }
    }

    /// Keeps the weights from being paged out; whether the system allows it.
    pub fn lock(&self) -> bool {
        match &self.bytes {
            Bytes::Mapped(map) => map.lock().is_ok(),
            Bytes::Read(_) => false,
        }
    }

    /// Checks that nobody wrote to the file since it was opened.
    ///
    /// # Errors
    /// If somebody did: what was computed since, and what would be, is not the model's.
    pub fn check(&self) -> Result<()> {
        if let Bytes::Read(_) = self.bytes {
            return Ok(());
        }
        match self.file.metadata() {
            Ok(metadata) if Identity::of(&metadata) == self.identity => Ok(()),
            Ok(_) => Err(self.changed("was changed while it was in use")),
            Err(error) => Err(self.changed(&error.to_string())),
        }
    }

    fn changed(&self, what: &str) -> Error {
        let advice = "replace model files by renaming, or load with copy";
        let reason = format!("{} {what}: {advice}", self.path.display());
        Error::Engine { engine: self.engine, reason, log: Vec::new() }
    }
}

/// Asks the system to bring the file in, in large pages where it can.
///
/// Translating the addresses of small pages costs a third of the bandwidth that decoding lives on. Large ones are only
/// made where the file is not in memory yet, so nobody may touch it before this.
fn read_ahead(map: &Mmap) {
    #[cfg(target_os = "linux")]
    let large = map.advise(Advice::HugePage).is_ok();
    #[cfg(not(target_os = "linux"))]
    let large = false;
    if !large {
        // Advice, too: where the system does not take it, pages are read as they are touched.
        let _ = map.advise(Advice::WillNeed);
    }
}

/// Reads a whole file.
fn read(file: &mut File, size: u64) -> io::Result<Vec<u64>> {
    let mut words = vec![0u64; size.div_ceil(8) as usize];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut bytemuck::cast_slice_mut(&mut words)[..size as usize])?;
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn a_copy_is_the_file() {
        let file = file(b"eleven byte");
        for copy in [false, true] {
            let mapping = Mapping::open("test", file.path(), 11, copy).expect("a file of eleven bytes");
            assert_eq!(mapping.bytes(), b"eleven byte");
            assert_eq!(matches!(mapping.bytes, Bytes::Mapped(_)), !copy);
        }
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let file = file(&[7; 10_000]);
        assert!(matches!(Mapping::open("test", file.path(), 9_999, false), Err(Error::Load { .. })));
        let (mapped, read) =
            [false, true].map(|copy| Mapping::open("test", file.path(), 10_000, copy).expect("as long")).into();
        mapped.check().expect("nobody wrote");
        file.as_file().set_len(5_000).expect("shortened");
        assert!(matches!(mapped.check(), Err(Error::Engine { .. })));
        read.check().expect("a copy does not change");
        assert_eq!(read.bytes(), [7; 10_000]);
    }
}
