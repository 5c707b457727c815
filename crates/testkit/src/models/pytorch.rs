//! Writes a checkpoint as `torch.save` does: a zip archive without compression that holds a pickle and the storages.
//!
//! The pickle is a program in protocol 2 that makes an ordered dictionary from names to
//! `torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`, where a storage is the persistent
//! id `("storage", torch.FloatStorage, key, "cpu", elements)`; its data is the archive's entry `data/key`. Globals that
//! come again are taken from the memo, as Python's pickler does, so that a reader needs that too.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::element::Element;

/// Writes a checkpoint whose tensors are all of one type; `fill` writes the data of each, given by index. Dimensions
/// have the outermost first. The whole file must stay below 4 GiB: there are no zip64 records.
pub(super) fn write(
    path: &Path,
    element: &Element,
    tensors: &[(String, Vec<u64>)],
    mut fill: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut zip = Zip::create(path)?;
    let pickle = pickle(element.pytorch, tensors);
    zip.entry("archive/data.pkl", pickle.len() as u64, |out| out.write_all(&pickle))?;
    zip.entry("archive/byteorder", 6, |out| out.write_all(b"little"))?;
    for (index, (_, dimensions)) in tensors.iter().enumerate() {
        let bytes = dimensions.iter().product::<u64>() * element.bytes;
        zip.entry(&format!("archive/data/{index}"), bytes, |out| fill(index, out))?;
    }
    zip.entry("archive/version", 2, |out| out.write_all(b"3\n"))?;
    zip.finish()
}

const MARK: u8 = b'(';
const TUPLE: u8 = b't';
const REDUCE: u8 = b'R';
const EMPTY_TUPLE: u8 = b')';

/// A pickle as it is written, with the globals that the memo holds.
struct Program {
    out: Vec<u8>,
    memo: Vec<&'static str>,
}

impl Program {
    /// A class or function, "module\nname\n" as the opcode has it.
    fn global(&mut self, global: &'static str) {
        if let Some(place) = self.memo.iter().position(|known| *known == global) {
            self.out.extend([b'h', place as u8]);
        } else {
            self.out.push(b'c');
            self.out.extend(global.as_bytes());
            self.out.extend([b'q', self.memo.len() as u8]);
            self.memo.push(global);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push(b'X');
        self.out.extend((text.len() as u32).to_le_bytes());
        self.out.extend(text.as_bytes());
    }

    fn integer(&mut self, value: u64) {
        match (u8::try_from(value), u16::try_from(value), i32::try_from(value)) {
            (Ok(value), ..) => self.out.extend([b'K', value]),
            (_, Ok(value), _) => {
                self.out.push(b'M');
                self.out.extend(value.to_le_bytes());
            }
            (.., Ok(value)) => {
                self.out.push(b'J');
                self.out.extend(value.to_le_bytes());
            }
            _ => {
                self.out.extend([0x8a, 8]);
                self.out.extend(value.to_le_bytes());
            }
        }
    }

    fn integers(&mut self, values: &[u64]) {
        self.out.push(MARK);
        for &value in values {
            self.integer(value);
        }
        self.out.push(TUPLE);
    }

    fn ordered_dictionary(&mut self) {
        self.global("collections\nOrderedDict\n");
        self.out.extend([EMPTY_TUPLE, REDUCE]);
    }
}

fn pickle(storage: &'static str, tensors: &[(String, Vec<u64>)]) -> Vec<u8> {
    let mut program = Program { out: vec![0x80, 2], memo: Vec::new() };
    program.ordered_dictionary();
    program.out.push(MARK);
    for (index, (name, dimensions)) in tensors.iter().enumerate() {
        program.text(name);
        program.global("torch._utils\n_rebuild_tensor_v2\n");
        program.out.extend([MARK, MARK]);
        program.text("storage");
        program.global(storage);
        program.text(&index.to_string());
        program.text("cpu");
        program.integer(dimensions.iter().product());
        program.out.extend([TUPLE, b'Q']);
        program.integer(0);
        program.integers(dimensions);
        let strides: Vec<u64> = (1..=dimensions.len()).map(|axis| dimensions[axis..].iter().product()).collect();
        program.integers(&strides);
        program.out.push(0x89);
        program.ordered_dictionary();
        program.out.extend([TUPLE, REDUCE]);
    }
    program.out.extend(*b"u.");
    program.out
}

/// A zip archive of stored entries, each of which begins its data at a multiple of 64, as PyTorch's do.
struct Zip {
    out: BufWriter<File>,
    directory: Vec<u8>,
    entries: u16,
}

impl Zip {
    fn create(path: &Path) -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self { out, directory: Vec::new(), entries: 0 })
    }

    /// Adds an entry of exactly so many bytes.
    fn entry(
        &mut self,
        name: &str,
        bytes: u64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, "the archive reaches 4 GiB");
        let start = self.out.stream_position()?;
        let padding = (start + 34 + name.len() as u64).wrapping_neg() % 64;
        let (start, size) = (u32::try_from(start).map_err(too_large)?, u32::try_from(bytes).map_err(too_large)?);
        // The checksum is known only afterwards.
        self.out.write_all(b"PK\x03\x04")?;
        self.out.write_all(&fields(0, size, name, 4 + padding as u16))?;
        self.out.write_all(name.as_bytes())?;
        self.out.write_all(b"FB")?;
        self.out.write_all(&(padding as u16).to_le_bytes())?;
        self.out.write_all(&vec![b'Z'; padding as usize])?;

        let mut data = Checked { out: &mut self.out, checksum: !0, written: 0 };
        write(&mut data)?;
        let (checksum, written) = (!data.checksum, data.written);
        if written != bytes {
            return Err(io::Error::other(format!("{name} has {written} bytes, expected {bytes}")));
        }
        self.out.seek(SeekFrom::Start(u64::from(start) + 14))?;
        self.out.write_all(&checksum.to_le_bytes())?;
        self.out.seek(SeekFrom::End(0))?;

        self.directory.extend(*b"PK\x01\x02\0\0");
        self.directory.extend(fields(checksum, size, name, 0));
        // Comment, disk, attributes: none.
        self.directory.extend([0; 10]);
        self.directory.extend(start.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        let start = self.out.stream_position()?;
        let start = u32::try_from(start).map_err(|_| io::Error::other("the archive reaches 4 GiB"))?;
        self.out.write_all(&self.directory)?;
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.out.write_all(&self.entries.to_le_bytes().repeat(2))?;
        self.out.write_all(&(self.directory.len() as u32).to_le_bytes())?;
        self.out.write_all(&start.to_le_bytes())?;
        self.out.write_all(&[0; 2])?;
        self.out.into_inner()?.sync_all()
    }
}

/// What an entry's two records have in common: version, flags, method, time, checksum, sizes and lengths.
fn fields(checksum: u32, size: u32, name: &str, extra: u16) -> Vec<u8> {
    /// 1 January 1980, midnight: the same file from the same seed.
    const TIME: [u8; 4] = [0, 0, 0x21, 0];
    let mut out = vec![10, 0, 0, 0, 0, 0];
    out.extend(TIME);
    out.extend(checksum.to_le_bytes());
    out.extend(size.to_le_bytes().repeat(2));
    out.extend((name.len() as u16).to_le_bytes());
    out.extend(extra.to_le_bytes());
    out
}

/// Counts what goes through it, and keeps its CRC-32.
struct Checked<'a> {
    out: &'a mut BufWriter<File>,
    checksum: u32,
    written: u64,
}

impl Write for Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        for &byte in &bytes[..written] {
            self.checksum = TABLE[usize::from(self.checksum as u8 ^ byte)] ^ (self.checksum >> 8);
        }
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// CRC-32 of every byte, by the reflected polynomial of zip.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};
