//! Checkpoints as PyTorch wrote them before version 1.6, and writes them with `_use_new_zipfile_serialization=False`:
//! five pickles, one behind the other, and the storages behind these. Each storage is the number of its elements, then
//! the elements, little-endian on any machine.
//!
//! The pickles are a magic number, the version of the form, sizes of the machine that saved it (of which nothing is
//! used, as in PyTorch), the checkpoint, and the keys of its storages in the order in which they lie. Nothing is aligned.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::pickle::{self, Budget, Id, Object, Objects, Storage, read};
use super::zip::{Stored, read_at};
use crate::{Element, Error, Result};

/// The magic number, as the pickle of a whole number of ten bytes has it.
const MAGIC: [u8; 12] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The version of the form: there was no other.
const VERSION: i64 = 1001;
/// Bytes that the pickles are looked for in at first; some hundred for each tensor.
const FIRST: u64 = 256 << 10;

fn wrong(what: &str, found: impl Into<String>, expected: &'static str) -> Error {
    Error::Malformed { what: what.into(), offset: 0, found: found.into(), expected }
}

/// Whether a file that begins with `bytes` is such a checkpoint. Before the number stands which protocol it is and,
/// from the fourth on, how long the frame is.
pub(super) fn is_checkpoint(bytes: &[u8]) -> bool {
    let protocol = bytes.first() == Some(&0x80);
    protocol && [2, 11].iter().any(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(&MAGIC)))
}

/// The beginning of such a file of `size` bytes, with all of its pickles.
pub(super) fn beginning(file: &mut (impl Read + Seek), size: u64) -> Result<Vec<u8>> {
    let most = size.min(pickle::BYTES);
    let mut length = FIRST.min(most);
    loop {
        let cut = |_| Error::Truncated { what: "the pickles".into(), needed: length, size };
        let bytes = read_at(file, 0, length).map_err(cut)?;
        match Pickles::read(&bytes) {
            Err(Error::Truncated { .. }) if length < most => length = length.saturating_mul(8).min(most),
            Err(Error::Truncated { .. }) if most < size => {
                let what = "the length of the pickles".into();
                return Err(Error::Limit { what, offset: 0, found: size, limit: pickle::BYTES });
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(bytes),
        }
    }
}

/// What the pickles say.
pub(super) struct Pickles<'a> {
    pub(super) objects: Objects<'a>,
    pub(super) root: Id,
    keys: Vec<&'a str>,
    /// Bytes of all of them.
    length: usize,
}

impl<'a> Pickles<'a> {
    /// Reads them from the beginning of a file.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let (mut budget, mut length) = (Budget::default(), 0);
        let mut next = || -> Result<(Objects<'a>, Id)> {
            let (objects, root, taken) = read(&bytes[length..], &mut budget)?;
            length += taken;
            Ok((objects, root))
        };
        next()?;
        let (objects, version) = next()?;
        if !matches!(objects.get(version), Object::Int(VERSION)) {
            return Err(wrong("the version of the checkpoint", objects.get(version).kind(), "the number 1001"));
        }
        next()?;
        let (objects, root) = next()?;
        let (listed, list) = next()?;
        let Object::List(ids) = listed.get(list) else {
            return Err(wrong("the keys of the storages", listed.get(list).kind(), "a list"));
        };
        let key = |id: &Id| match listed.get(*id) {
            Object::Text(key) => Ok(*key),
            other => Err(wrong("a key of a storage", other.kind(), "a string")),
        };
        let keys = ids.iter().map(key).collect::<Result<_>>()?;
        Ok(Self { objects, root, keys, length })
    }

    /// Where the storages lie in the file of `size` bytes, by their keys: it ends with the last.
    pub(super) fn storages(&self, file: &mut (impl Read + Seek), size: u64) -> Result<BTreeMap<&'a str, Stored>> {
        let element = |storage: &Storage<'a>| storage.element.map_or(1, Element::size);
        let sizes: BTreeMap<_, _> = self.objects.storages().map(|storage| (storage.key, element(storage))).collect();
        let (mut found, mut at) = (BTreeMap::new(), self.length as u64);
        for key in &self.keys {
            let cut = |needed: u64| Error::Truncated { what: format!("the storage {key:?}"), needed, size };
            let element = sizes.get(key).ok_or_else(|| {
                wrong("the keys of the storages", format!("{key:?}"), "those that the checkpoint's tensors are made of")
            })?;
            let offset = at + 8;
            let count = read_at(file, at, 8).ok().and_then(|bytes| bytes.first_chunk().copied());
            let count = u64::from_le_bytes(count.ok_or_else(|| cut(offset))?);
            let end = count.checked_mul(*element).and_then(|length| offset.checked_add(length));
            let end = end.filter(|end| *end <= size).ok_or_else(|| cut(end.unwrap_or(u64::MAX)))?;
            let stored = Stored { offset, size: end - offset, plain: true };
            if found.insert(*key, stored).is_some() {
                return Err(Error::Duplicate { what: "storage", name: (*key).into(), offset: at });
            }
            at = end;
        }
        if at != size {
            return Err(wrong("the file's end", format!("{} bytes behind the last storage", size - at), "none"));
        }
        Ok(found)
    }
}
