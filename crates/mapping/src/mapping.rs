//! A file as memory. The only `unsafe` of this crate: what a mapping promises, and what may break it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use memmap2::{Advice, Mmap};
use trillm_core::{Error, Result};

use crate::watched::Watched;

/// A file with weights: mapped, or read into memory of our own.
pub struct Mapping {
    /// The engine that wants it, for errors.
    engine: &'static str,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mmap, Watched),
    /// In words, so that what the file aligns to eight bytes is aligned here; and how many bytes they are.
    Read(Vec<u64>, usize),
}

impl Mapping {
    /// Opens a file that was `size` bytes long when its header was read. `copy` reads it instead of mapping it.
    ///
    /// # Errors
    /// [`Error::Load`], in the name of `engine`; [`Error::OutOfMemory`], [`Error::NoFile`].
    pub fn open(engine: &'static str, path: &Path, size: u64, copy: bool) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::unopened(engine, path, &error))?;
        Self::of(engine, file, path, size, copy)
    }

    /// The same of a file that is open; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Load`], in the name of `engine`; [`Error::OutOfMemory`].
    pub fn of(engine: &'static str, mut file: File, path: &Path, size: u64, copy: bool) -> Result<Self> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::OutOfMemory => {
                Error::OutOfMemory { what: format!("a map of {}", path.display()), bytes: size }
            }
            _ => Error::load(engine, path, error.to_string()),
        };
        let found = file.metadata().map_err(failed)?.len();
        if found != size {
            let reason = format!("it had {size} bytes a moment ago and has {found} now");
            return Err(Error::load(engine, path, reason));
        }
        let bytes = if copy {
            let mut words = crate::zeros(size.div_ceil(8) as usize, &format!("a copy of {}", path.display()))?;
            read(&mut file, &mut bytemuck::cast_slice_mut(&mut words)[..size as usize]).map_err(failed)?;
            Bytes::Read(words, size as usize)
        } else {
            // SAFETY: the mapping is read-only. What it cannot promise is that nobody else writes to or
            // shortens the file: `check` looks before every step, files in the store are read-only, and `copy` is
            // there for file systems where others write. All values of the types that are read from it (integers and
            // floats) are valid, so changed bytes give wrong numbers and nothing worse; a page that is gone ends the
            // process with SIGBUS, which is documented.
            let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
            read_ahead(&map);
            Bytes::Mapped(map, Watched::new(file, path, size).map_err(failed)?)
        };
        Ok(Self { engine, bytes })
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map, _) => map,
            Bytes::Read(words, size) => &bytemuck::cast_slice(words)[..*size],
        }
    }

    /// Keeps the weights from being paged out; whether the system allows it.
    pub fn lock(&self) -> bool {
        match &self.bytes {
            Bytes::Mapped(map, _) => map.lock().is_ok(),
            Bytes::Read(..) => false,
        }
    }

    /// Checks that nobody shortened the file or wrote to it since it was opened. Once somebody did, it fails for ever.
    /// To be asked before the bytes are touched: those that are gone end the process.
    ///
    /// # Errors
    /// [`Error::Engine`]: what was computed since, and what would be, is not the model's.
    pub fn check(&self) -> Result<()> {
        match &self.bytes {
            Bytes::Mapped(_, file) => file.check(self.engine),
            Bytes::Read(..) => Ok(()),
        }
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
fn read(file: &mut File, out: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(out)
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::io::Write;
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::thread::sleep;
    use std::time::{Duration, SystemTime};

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
            assert_eq!(matches!(mapping.bytes, Bytes::Mapped(..)), !copy);
        }
    }

    /// What a check says after each of some changes to a mapped file of ten thousand bytes, which are far enough apart
    /// for the times of a file to tell them apart.
    fn after(changes: &[fn(&File)]) -> Vec<bool> {
        let file = file(&[7; 10_000]);
        let mapping = Mapping::open("test", file.path(), 10_000, false).expect("as long");
        let again = Mapping::open("test", file.path(), 10_000, false).expect("as long");
        mapping.check().expect("nobody wrote");
        let check = |change: &fn(&File)| {
            sleep(Duration::from_millis(20));
            change(file.as_file());
            assert_eq!(mapping.check().is_ok(), again.check().is_ok());
            mapping.check().is_ok()
        };
        changes.iter().map(check).collect()
    }

    fn shorten(file: &File) {
        file.set_len(5_000).expect("shortened");
    }

    fn shorten_to_size(file: &File) {
        file.set_len(10_000).expect("shortened");
    }

    fn touch(file: &File) {
        let later = SystemTime::now() + Duration::from_secs(1);
        file.set_times(FileTimes::new().set_accessed(later).set_modified(later)).expect("touched");
    }

    fn append(file: &File) {
        let end = file.metadata().expect("its size").len();
        file.write_all_at(b"more", end).expect("written");
    }

    fn write(file: &File) {
        file.write_all_at(b"8", 7_777).expect("written");
    }

    /// Between two samples.
    fn write_unsampled(file: &File) {
        file.write_all_at(b"8", 7_780).expect("written");
    }

    /// The same through a mapping, of which no report is made.
    fn write_by_mapping(file: &File) {
        // SAFETY: `after` reads none of the bytes that it changes.
        let mut map = unsafe { memmap2::MmapMut::map_mut(file) }.expect("a mapping");
        map[7_780] = 8;
        map.flush().expect("flushed");
    }

    /// And then the time that it had.
    fn write_back_in_time(file: &File) {
        let time = file.metadata().and_then(|metadata| metadata.modified()).expect("its time");
        write_unsampled(file);
        file.set_times(FileTimes::new().set_accessed(time).set_modified(time)).expect("touched");
    }

    fn forbid(file: &File) {
        file.set_permissions(PermissionsExt::from_mode(0o400)).expect("its owner may");
    }

    /// As a copy onto it does: shorter for a moment, longer in the end.
    fn write_all(file: &File) {
        file.set_len(0).expect("emptied");
        file.write_all_at(&[9; 15_000], 0).expect("written");
    }

    fn restore(file: &File) {
        file.set_len(10_000).expect("lengthened");
        file.write_all_at(&[7; 10_000], 0).expect("written");
    }

    #[test]
    fn what_changes_the_weights_ends_the_model_and_nothing_else() {
        assert_eq!(after(&[shorten]), [false]);
        assert_eq!(after(&[write]), [false]);
        assert_eq!(after(&[write_all]), [false]);
        assert_eq!(after(&[touch, touch, append, touch, append]), [true; 5]);
        assert_eq!(after(&[append, write_all]), [true, false]);
        assert_eq!(after(&[touch, write, touch]), [true, false, false]);
        assert_eq!(after(&[append, forbid, shorten_to_size, touch]), [true; 4]);
    }

    #[test]
    fn a_write_that_no_sample_shows_ends_the_model() {
        for write in [write_unsampled, write_by_mapping, write_back_in_time] {
            assert_eq!(after(&[write]), [false]);
            assert_eq!(after(&[append, write, touch]), [true, false, false]);
            assert_eq!(after(&[touch, forbid, write]), [true, true, false]);
        }
    }

    #[test]
    fn a_model_that_ended_stays_ended() {
        assert_eq!(after(&[shorten, restore, touch]), [false; 3]);
    }

    #[test]
    fn what_was_read_does_not_change() {
        let file = file(&[7; 10_000]);
        assert!(matches!(Mapping::open("test", file.path(), 9_999, false), Err(Error::Load { .. })));
        let read = Mapping::open("test", file.path(), 10_000, true).expect("as long");
        shorten(file.as_file());
        read.check().expect("a copy does not change");
        assert_eq!(read.bytes(), [7; 10_000]);
    }
}
