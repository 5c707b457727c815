//! PyTorch checkpoints, as `torch.save` writes them since version 1.6: a zip archive with a pickle that says what the
//! tensors are, and an entry for each storage. And as it wrote them before (`legacy.rs`).
//!
//! A pickle can run any program when Python opens it. [`scan`] and [`Torch`] read it as data, and refuse it if it asks
//! for anything that tensors are not made of. Layout of the archive: `caffe2/serialize/inline_container.h` of PyTorch.

mod dict;
mod legacy;
mod pickle;
mod state;
mod zip;

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;

pub use pickle::scan;

use crate::{Error, Result, Tensor, disk};
use zip::Stored;

/// Bytes of the small entries: a number, a word.
const SMALL: u64 = 64;
/// Bytes that tell the two forms apart.
const BEGINNING: u64 = 32;
/// The newest version of the layout: `kMaxSupportedFileFormatVersion`.
const VERSION: u32 = 10;
/// Bytes of a file that is no checkpoint that are searched for what could run.
const SEARCHED: u64 = 4 << 20;

/// A PyTorch checkpoint that holds tensors and nothing that could run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torch {
    /// The tensors by name. Their `file` is 0. Several may share bytes.
    pub tensors: BTreeMap<String, Tensor>,
    /// What was left out.
    pub notes: Vec<String>,
}

impl Torch {
    /// Reads a checkpoint of `size` bytes: the archive's directory and its pickle, or the pickles of the older form, never
    /// the weights.
    ///
    /// The checkpoint is a dict of tensors, or one that has such a dict inside: under `state_dict`, `model`,
    /// `model_state_dict` or `module`, or the only one that has a network's tensors.
    ///
    /// # Errors
    /// [`Error::Global`] if the pickle asks for more than tensors; [`Error::Pytorch`] for `TorchScript`, compressed
    /// and encrypted archives; otherwise what is wrong with the file.
    pub fn read(file: &mut (impl Read + Seek), size: u64) -> Result<Self> {
        match zip::read_at(file, 0, size.min(BEGINNING)) {
            Ok(bytes) if legacy::is_checkpoint(&bytes) => Self::older(file, size),
            _ => Self::zip(file, size),
        }
    }

    /// The form before version 1.6.
    fn older(file: &mut (impl Read + Seek), size: u64) -> Result<Self> {
        let bytes = legacy::beginning(file, size)?;
        let pickles = legacy::Pickles::read(&bytes)?;
        let storages = pickles.storages(file, size)?;
        let (tensors, notes) = state::tensors(&pickles.objects, pickles.root, |key| storages.get(key).copied())?;
        Ok(Self { tensors, notes })
    }

    fn zip(file: &mut (impl Read + Seek), size: u64) -> Result<Self> {
        let entries = zip::entries(file, size)?;
        let folder = folder(&entries)?;
        let entry = |name: &str| entries.get(&format!("{folder}{name}")).copied();
        if entries.keys().any(|name| name[folder.len()..].starts_with("code/")) || entry("constants.pkl").is_some() {
            return Err(Error::pytorch("a TorchScript archive"));
        }
        if let Some((name, _)) = entries.iter().find(|(_, stored)| !stored.plain) {
            return Err(Error::pytorch(format!("an archive whose entry {name:?} is compressed")));
        }
        let mut content = |name: &str, limit: u64| -> Result<Option<Vec<u8>>> {
            let Some(Stored { offset, size: found, .. }) = entry(name) else { return Ok(None) };
            if found > limit {
                return Err(Error::Limit { what: format!("the length of {name}"), offset, found, limit });
            }
            let cut = |_| Error::Truncated { what: name.into(), needed: offset + found, size };
            zip::read_at(file, offset, found).map(Some).map_err(cut)
        };
        let bytes = content("data.pkl", pickle::BYTES)?.unwrap_or_default();
        let (objects, root, length) = pickle::read(&bytes, &mut pickle::Budget::default())?;
        if length != bytes.len() {
            scan(&bytes[length..])?;
            let found = format!("{} bytes behind its end", bytes.len() - length);
            return Err(wrong("data.pkl", found, "one pickle"));
        }
        if folder.is_empty() {
            return Err(wrong("data.pkl", "an entry outside any folder".into(), "archive/data.pkl"));
        }
        if let Some(order) = content("byteorder", SMALL)?.filter(|order| order != b"little") {
            return Err(wrong("byteorder", format!("{:?}", String::from_utf8_lossy(&order)), "little"));
        }
        let version = content("version", SMALL)?.unwrap_or_default();
        let version = String::from_utf8_lossy(&version);
        if !version.trim().parse().is_ok_and(|version: u32| (1..=VERSION).contains(&version)) {
            return Err(wrong("version", format!("{version:?}"), "a number from 1 to 10"));
        }
        let (tensors, notes) = state::tensors(&objects, root, |key| entry(&format!("data/{key}")))?;
        Ok(Self { tensors, notes })
    }
}

/// The folder that all entries are in, with its slash; empty if the pickle is in none.
fn folder(entries: &BTreeMap<String, Stored>) -> Result<String> {
    let mut pickles = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let (Some(folder), None) = (pickles.next(), pickles.next()) else {
        return Err(Error::pytorch("a zip archive that is no checkpoint (no data.pkl, or several)"));
    };
    let plain = folder.is_empty() || folder.find('/') == Some(folder.len() - 1);
    match entries.keys().find(|name| !name.starts_with(folder)) {
        None if plain => Ok(folder.into()),
        None => Err(wrong("data.pkl", format!("it in {folder:?}"), "archive/data.pkl")),
        Some(other) => Err(wrong("an entry of the archive", format!("{other:?}"), "all entries in one folder")),
    }
}

fn wrong(what: &str, found: String, expected: &'static str) -> Error {
    Error::Malformed { what: what.into(), offset: 0, found, expected }
}

/// What a file is that begins with `bytes`, if it could have to do with PyTorch and is no zip archive.
pub(crate) fn recognize(bytes: &[u8]) -> Option<Older> {
    if legacy::is_checkpoint(bytes) {
        return Some(Older::Checkpoint);
    }
    let is_other = matches!(bytes, [0x80, 2..=5, ..]) || bytes.get(257..262) == Some(b"ustar");
    is_other.then_some(Older::Other)
}

/// A form that is no zip archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Older {
    /// That of `torch.save` before version 1.6, which [`Torch::read`] takes.
    Checkpoint,
    /// Another pickle or tar, as the very first versions wrote.
    Other,
}

/// The error for another pickle or tar: what could run in it, or what to do about its form.
pub(crate) fn other(path: &Path) -> Error {
    let error = match disk::beginning(path, SEARCHED).and_then(|(bytes, _)| scan(&bytes)) {
        Err(error @ (Error::Global { .. } | Error::Read { .. })) => error,
        _ => Error::pytorch("another pickle or tar"),
    };
    error.of(path)
}
