//! The few file operations that everything else is made of: they last, and their errors name the file.

use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{Error, Result};

/// Adds the path, and what was being done to it, to an error of the system.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { doing, path },
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Error::PermissionDenied { doing, path }
                }
                _ => Error::Io { doing, path, source },
            }
        })
    }
}

/// That something which was to be removed or moved is not there any more is well.
pub(crate) trait Gone {
    fn gone(self) -> Self;
}

impl Gone for io::Result<()> {
    fn gone(self) -> Self {
        self.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }
}

/// Makes renames in this folder outlast a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    synced(folder).at("sync", folder)
}

/// The same for a folder that others may have removed: then nothing in it needs to last.
pub(crate) fn sync_if_there(folder: &Path) -> Result<()> {
    synced(folder).gone().at("sync", folder)
}

fn synced(folder: &Path) -> io::Result<()> {
    // Windows has no such call; its renames are journaled.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Hands on everything `reader` yields, in pieces large enough that hashing, not system calls, is the cost.
pub(crate) fn each_piece(reader: &mut impl io::Read, mut hand_on: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => hand_on(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hands on what lies in this range of a file, in pieces, whoever else reads or writes it elsewhere.
pub(crate) fn each_piece_at(
    file: &File,
    range: Range<u64>,
    buffer: &mut Vec<u8>,
    mut hand_on: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut position = range.start;
    while position < range.end {
        buffer.resize((range.end - position).min(1 << 20) as usize, 0);
        read_at(file, buffer, position)?;
        hand_on(buffer);
        position += buffer.len() as u64;
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, position)
}

/// Writes all of it there.
#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, position)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, position)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                position += read as u64;
            }
        }
    }
    Ok(())
}

/// Writes all of it there.
#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, position)?;
        bytes = &bytes[written..];
        position += written as u64;
    }
    Ok(())
}

/// A path in `folder` that no other thread or process uses.
pub(crate) fn unique(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // The time tells two machines with one network folder, or two containers with the same process id, apart.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    folder.join(format!("{}-{count}-{time:x}", process::id()))
}

/// Puts a whole file in place, or leaves what was there.
pub(crate) fn replace(target: &Path, staging: &Path, content: &[u8]) -> Result<()> {
    let temporary = unique(staging);
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let placed = written.at("write", &temporary).and_then(|()| fs::rename(&temporary, target).at("write", target));
    if placed.is_err() {
        // Best effort: the sweep at the next opening takes what stays.
        let _ = fs::remove_file(&temporary);
    }
    placed?;
    target.parent().map_or(Ok(()), sync_folder)
}

/// Removes whatever in `folder` nobody has touched for `age`. Another process may be sweeping too, and what cannot be
/// removed does no harm, so errors do not matter.
pub(crate) fn sweep(folder: &Path, age: Duration) {
    let Some(limit) = SystemTime::now().checked_sub(age) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if last_touched(&path).is_ok_and(|touched| touched < limit) {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

/// When the path, or anything in it, was last written: a long download touches its file, not the folder around it.
pub(crate) fn last_touched(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::symlink_metadata(path)?;
    let mut touched = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            touched = touched.max(last_touched(&entry?.path())?);
        }
    }
    Ok(touched)
}
