//! A zip archive as `torch.save` writes it: entries stored as they are, so that weights can be mapped in place.
//!
//! Format: PKWARE's APPNOTE 6.3. Much of what it allows is refused: encryption, several disks, comments,
//! bytes that belong to nothing at the end. Two readers can disagree about an archive; the less an archive may hold,
//! the less room there is for that. Compressed entries are listed and never
//! opened. Checksums are not compared: PyTorch can be told to leave them out.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use crate::cursor::Cursor;
use crate::{Error, Result};

/// Entries of an archive: one for each storage, and a few.
const ENTRIES: u64 = 1 << 18;
/// Bytes of the central directory: at most 46 and a name for each entry.
const DIRECTORY: u64 = 64 << 20;
/// Bytes of the record at the end, without a comment.
const END: u64 = 22;
/// Bytes of the record before it in large archives.
const LOCATOR: u64 = 20;
/// Bytes of what the locator leads to, without the part that may grow.
const END64: u64 = 56;
/// Bytes of a local header before the name.
const LOCAL: u64 = 30;
/// Bytes of a name. Longer ones than a file system takes are not written.
const NAME: usize = 1024;
/// Names are UTF-8; sizes follow the data rather than stand before it; two bits about compression.
const FLAGS: u16 = 0x0800 | 0x0008 | 0x0006;
/// The flag that the local header leaves sizes out.
const SIZES_FOLLOW: u16 = 0x0008;

/// Where an entry's bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    /// In bytes from the start of the file.
    pub(super) offset: u64,
    /// In bytes, as they lie there.
    pub(super) size: u64,
    /// Whether those bytes are the content, and not a compressed form of it.
    pub(super) plain: bool,
}

/// An entry as the central directory has it.
struct Listed {
    name: String,
    flags: u16,
    /// How the content is compressed; 0 is not at all.
    method: u16,
    /// Bytes in the file.
    packed: u64,
    /// Bytes of the content.
    size: u64,
    header: u64,
}

/// What the end of the file says of the central directory.
struct Directory {
    offset: u64,
    size: u64,
    entries: u64,
}

/// Reads `len` bytes at `offset`, which the caller knows to lie within the file.
pub(super) fn read_at(file: &mut (impl Read + Seek), offset: u64, len: u64) -> Result<Vec<u8>, std::io::Error> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// A reader of one archive that turns failures of the disk into errors.
struct Reader<'a, R> {
    file: &'a mut R,
    size: u64,
}

/// The entries of an archive of `size` bytes by name. Their data is within the file, before the central directory,
/// and no two share a byte.
pub(super) fn entries(file: &mut (impl Read + Seek), size: u64) -> Result<BTreeMap<String, Stored>> {
    let mut reader = Reader { file, size };
    let directory = reader.directory()?;
    let bytes = reader.read(directory.offset, directory.size, "the central directory")?;
    let mut cursor = Cursor::new(&bytes, bytes.len() as u64);
    let mut ranges = Vec::new();
    let mut entries = BTreeMap::new();
    for _ in 0..directory.entries {
        let at = directory.offset + cursor.offset();
        let listed = listed(&mut cursor, at)?;
        let stored = reader.stored(&listed, directory.offset)?;
        ranges.push((listed.header, stored.offset + stored.size));
        if entries.contains_key(&listed.name) {
            return Err(Error::Duplicate { what: "entry", name: listed.name, offset: at });
        }
        entries.insert(listed.name, stored);
    }
    if cursor.remaining() > 0 {
        let found = format!("{} bytes more than its entries take", cursor.remaining());
        return Err(wrong("the central directory", directory.offset, found, "entries alone"));
    }
    ranges.sort_unstable();
    if let Some(pair) = ranges.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        let found = format!("an entry from {} and one from {} to {}", pair[1].0, pair[0].0, pair[0].1);
        return Err(wrong("the entries", pair[1].0, found, "no overlap"));
    }
    Ok(entries)
}

fn wrong(what: &str, offset: u64, found: impl Into<String>, expected: &'static str) -> Error {
    Error::Malformed { what: what.into(), offset, found: found.into(), expected }
}

/// Takes the four bytes that a record begins with.
fn signature(cursor: &mut Cursor<'_>, expected: [u8; 4], what: &str, offset: u64) -> Result<()> {
    let found: [u8; 4] = cursor.array(what)?;
    if found != expected {
        return Err(wrong(what, offset, format!("{found:02x?}"), "the record's signature"));
    }
    Ok(())
}

impl<R: Read + Seek> Reader<'_, R> {
    fn read(&mut self, offset: u64, len: u64, what: &str) -> Result<Vec<u8>> {
        let needed = offset.saturating_add(len);
        let truncated = || Error::Truncated { what: what.into(), needed, size: self.size };
        if needed > self.size {
            return Err(truncated());
        }
        // The file had this many bytes when it was opened.
        read_at(self.file, offset, len).map_err(|_| truncated())
    }

    /// Where the central directory is: the last record of the file says it, or the one before in large archives.
    fn directory(&mut self) -> Result<Directory> {
        const WHAT: &str = "the end of the central directory";
        let at = self.size.checked_sub(END);
        let at = at.ok_or_else(|| Error::Truncated { what: WHAT.into(), needed: END, size: self.size })?;
        let bytes = self.read(at, END, WHAT)?;
        let mut cursor = Cursor::new(&bytes, END);
        if cursor.array(WHAT)? != *b"PK\x05\x06" {
            let expected = "its signature in the last 22 bytes, as in an archive that is whole and without a comment";
            return Err(wrong(WHAT, at, "other bytes", expected));
        }
        let disks: [u8; 4] = cursor.array(WHAT)?;
        let (here, entries) = (cursor.u16(WHAT)?, cursor.u16(WHAT)?);
        let (size, offset) = (cursor.u32(WHAT)?, cursor.u32(WHAT)?);
        let comment = cursor.u16(WHAT)?;
        // All ones where the record for large archives has the number.
        let several = disks != [0; 4] && disks != [0xff; 4];
        if several || here != entries || comment != 0 {
            return Err(wrong(WHAT, at, "several disks or a comment", "one disk and no comment"));
        }
        let small = Directory { offset: offset.into(), size: size.into(), entries: entries.into() };
        let (directory, end) = match self.directory64(at)? {
            Some((large, end)) => {
                let agree = |small: u64, large: u64, ones: u64| small == ones || small == large;
                let agree = agree(small.offset, large.offset, u32::MAX.into())
                    && agree(small.size, large.size, u32::MAX.into())
                    && agree(small.entries, large.entries, u16::MAX.into());
                if !agree {
                    return Err(wrong(WHAT, at, "other numbers than in the zip64 record", "the same"));
                }
                (large, end)
            }
            None => (small, at),
        };
        if directory.offset.checked_add(directory.size) != Some(end) {
            let found = format!("{} bytes at {}", directory.size, directory.offset);
            return Err(wrong(WHAT, at, found, "a central directory that ends where this record begins"));
        }
        for (what, found, limit) in [
            ("entries of the archive", directory.entries, ENTRIES),
            ("bytes of its directory", directory.size, DIRECTORY),
        ] {
            if found > limit {
                return Err(Error::Limit { what: what.into(), offset: at, found, limit });
            }
        }
        Ok(directory)
    }

    /// The record for large archives, and where it begins, if there is one before the record at `end`.
    fn directory64(&mut self, end: u64) -> Result<Option<(Directory, u64)>> {
        const WHAT: &str = "the zip64 end of the central directory";
        let Some(locator) = end.checked_sub(LOCATOR) else { return Ok(None) };
        let bytes = self.read(locator, LOCATOR, WHAT)?;
        let mut cursor = Cursor::new(&bytes, LOCATOR);
        if cursor.array(WHAT)? != *b"PK\x06\x07" {
            return Ok(None);
        }
        let disk = cursor.u32(WHAT)?;
        let at = cursor.u64(WHAT)?;
        let disks = cursor.u32(WHAT)?;
        // Its length may grow in later versions, and never did.
        if at.checked_add(END64) != Some(locator) || disk != 0 || disks > 1 {
            return Err(wrong(WHAT, locator, format!("a record at {at}"), "one right before its locator, on one disk"));
        }
        let bytes = self.read(at, END64, WHAT)?;
        let mut cursor = Cursor::new(&bytes, END64);
        signature(&mut cursor, *b"PK\x06\x06", WHAT, at)?;
        let length = cursor.u64(WHAT)?;
        let _versions: [u8; 4] = cursor.array(WHAT)?;
        let disks = cursor.u64(WHAT)?;
        let (here, entries) = (cursor.u64(WHAT)?, cursor.u64(WHAT)?);
        let (size, offset) = (cursor.u64(WHAT)?, cursor.u64(WHAT)?);
        if length != END64 - 12 || disks != 0 || here != entries {
            return Err(wrong(WHAT, at, "another length or several disks", "44 bytes and one disk"));
        }
        Ok(Some((Directory { offset, size, entries }, at)))
    }

    /// Follows an entry to its local header, which must agree, and from there to its data.
    fn stored(&mut self, listed: &Listed, directory: u64) -> Result<Stored> {
        const WHAT: &str = "the local header of an entry";
        let name = listed.name.as_bytes();
        let bytes = self.read(listed.header, LOCAL + name.len() as u64, WHAT)?;
        let mut cursor = Cursor::new(&bytes, bytes.len() as u64);
        signature(&mut cursor, *b"PK\x03\x04", WHAT, listed.header)?;
        let _version = cursor.u16(WHAT)?;
        let (flags, method) = (cursor.u16(WHAT)?, cursor.u16(WHAT)?);
        let _time_and_checksum: [u8; 8] = cursor.array(WHAT)?;
        let (packed, size) = (cursor.u32(WHAT)?, cursor.u32(WHAT)?);
        let (name_length, extra_length) = (cursor.u16(WHAT)?, cursor.u16(WHAT)?);
        // All ones where the extra field has the number, zero where it follows the data.
        let agrees = |said: u32, listed: u64| {
            u64::from(said) == listed || said == u32::MAX || (said == 0 && flags & SIZES_FOLLOW != 0)
        };
        let agree = agrees(packed, listed.packed) && agrees(size, listed.size);
        let same_name = usize::from(name_length) == name.len() && cursor.take(name.len() as u64, WHAT)? == name;
        if !same_name || flags != listed.flags || method != listed.method || !agree {
            let found = format!("something else than the directory says of {:?}", listed.name);
            return Err(wrong(WHAT, listed.header, found, "the same name, flags, method and sizes"));
        }
        let offset = listed.header + LOCAL + u64::from(name_length) + u64::from(extra_length);
        let end = offset.checked_add(listed.packed).filter(|end| *end <= directory);
        if end.is_none() {
            let found = format!("{} bytes of {:?}", listed.packed, listed.name);
            return Err(wrong("the data", offset, found, "data that ends before the central directory"));
        }
        Ok(Stored { offset, size: listed.packed, plain: method == 0 })
    }
}

/// One entry of the central directory, which stands at `at` of the file.
fn listed(cursor: &mut Cursor<'_>, at: u64) -> Result<Listed> {
    const WHAT: &str = "an entry of the central directory";
    signature(cursor, *b"PK\x01\x02", WHAT, at)?;
    let _versions = cursor.u32(WHAT)?;
    let (flags, method) = (cursor.u16(WHAT)?, cursor.u16(WHAT)?);
    let _time_and_checksum: [u8; 8] = cursor.array(WHAT)?;
    let (packed, size) = (cursor.u32(WHAT)?, cursor.u32(WHAT)?);
    let (name, extra, comment) = (cursor.u16(WHAT)?, cursor.u16(WHAT)?, cursor.u16(WHAT)?);
    let disk = cursor.u16(WHAT)?;
    let _attributes: [u8; 6] = cursor.array(WHAT)?;
    let header = cursor.u32(WHAT)?;
    let name = cursor.take(name.into(), WHAT)?;
    let extra = cursor.take(extra.into(), WHAT)?;
    cursor.take(comment.into(), WHAT)?;

    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.len() <= NAME);
    let name =
        name.ok_or_else(|| wrong("the name of an entry", at, "bytes that are no name", "UTF-8, at most 1024"))?;
    if flags & !FLAGS != 0 {
        let found = format!("an archive whose entry {name:?} has the flags {flags:#06x} (encryption, perhaps)");
        return Err(Error::Pytorch { found });
    }
    let mut large = Large::of(extra);
    let size = large.number(size, at)?;
    let packed = large.number(packed, at)?;
    let header = large.number(header, at)?;
    if (method == 0 && packed != size) || (disk != 0 && disk != u16::MAX) {
        return Err(wrong(WHAT, at, format!("{packed} bytes stored of {size}"), "as many, on one disk"));
    }
    Ok(Listed { name: name.into(), flags, method, packed, size, header })
}

/// The zip64 extra field: numbers that 32 bits do not hold, in the order of the fields that are all ones.
struct Large<'a> {
    rest: &'a [u8],
}

impl<'a> Large<'a> {
    /// Finds the field among the extra fields: two bytes of kind, two of length, the content.
    fn of(mut extra: &'a [u8]) -> Self {
        const KIND: u16 = 1;
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let [a, b, c, d] = *head;
            let length = usize::from(u16::from_le_bytes([c, d])).min(rest.len());
            if u16::from_le_bytes([a, b]) == KIND {
                return Self { rest: &rest[..length] };
            }
            extra = &rest[length..];
        }
        Self { rest: &[] }
    }

    fn number(&mut self, small: u32, at: u64) -> Result<u64> {
        if small != u32::MAX {
            return Ok(small.into());
        }
        let Some((number, rest)) = self.rest.split_first_chunk() else {
            return Err(wrong("the zip64 field of an entry", at, "no number", "one where the entry has all ones"));
        };
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }
}
