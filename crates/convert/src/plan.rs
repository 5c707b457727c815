//! What is written: every tensor with its place in the source, decided before a byte is moved. Then the moving.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use trillm_core::memory;
use trillm_formats::Tensor;

use crate::storage::{ALIGNMENT, Storage};
use crate::{Dtype, Error, Result};

/// Weights that are moved at a time: 4 MiB as 32-bit floats, with their source and result about three times that.
const BLOCK: u64 = 1 << 20;

/// A tensor of the result.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Planned {
    /// Its name in the result.
    pub(crate) name: String,
    /// Lengths of its dimensions, the outermost first.
    pub(crate) shape: Vec<u64>,
    /// What it is written in.
    pub(crate) dtype: Dtype,
    /// Where its weights come from.
    pub(crate) data: Data,
}

/// Where weights come from.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Data {
    /// A tensor of the source.
    File {
        /// Index into the source's files.
        file: usize,
        /// Where it begins in the file.
        offset: u64,
        /// How it lies there.
        storage: Storage,
        /// What happens to it.
        change: Change,
        /// The tensor, if its rows do not follow one another.
        strided: Option<Tensor>,
    },
    /// Weights that were computed.
    Values(Vec<f32>),
}

/// What happens to a tensor on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Change {
    /// Nothing.
    Keep,
    /// A number is added to each weight.
    Add(f32),
    /// The rows of each of so many heads change places.
    Rows(Rotation, u64),
}

/// How the two numbers that a rotary embedding rotates together lie in a head.
///
/// Hugging Face rotates row i with row i + half. llama.cpp, for some architectures, rotates neighbours, and its
/// converter moves the rows of the query and key matrices accordingly (`LlamaModel.permute`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rotation {
    /// From halves to neighbours: to GGUF.
    Neighbours,
    /// From neighbours to halves: to Hugging Face.
    Halves,
}

impl Rotation {
    /// The row of the source that becomes row `row`, in heads of `head` rows.
    fn source(self, row: u64, head: u64) -> u64 {
        let (start, row) = (row / head * head, row % head);
        let half = head / 2;
        start
            + match self {
                Self::Neighbours => row % 2 * half + row / 2,
                Self::Halves => row % half * 2 + row / half,
            }
    }
}

impl Planned {
    /// Number of weights.
    pub(crate) fn weights(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Bytes in the result.
    pub(crate) fn bytes(&self) -> u64 {
        self.weights() * self.dtype.bytes()
    }
}

/// Where the bytes of a tensor are while it is copied.
enum Place {
    /// In this file of the source.
    File(usize),
    /// In memory, row after row.
    Memory(Vec<u8>),
}

/// The files that weights are read from, opened as they are needed.
pub(crate) struct Sources {
    paths: Vec<PathBuf>,
    open: Option<(usize, File)>,
    buffer: Vec<u8>,
}

impl Sources {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, open: None, buffer: Vec::new() }
    }

    /// The weights of a small tensor.
    pub(crate) fn values(&mut self, tensor: &Planned) -> Result<Vec<f32>> {
        let mut bytes = Vec::new();
        self.copy(tensor, &mut |block| {
            bytes.extend_from_slice(block);
            Ok(())
        })?;
        Storage::Plain(tensor.dtype).decode(&bytes, tensor.weights() as usize)
    }

    /// Hands the data of a tensor, as it is to be written, to `out`, a block at a time.
    pub(crate) fn copy(&mut self, tensor: &Planned, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut encoded = Vec::new();
        let (place, offset, storage, change) = match &tensor.data {
            Data::Values(values) => {
                tensor.dtype.encode(values, &tensor.name, &mut encoded)?;
                return out(&encoded);
            }
            Data::File { file, offset, storage, change, strided: None } => {
                (Place::File(*file), *offset, *storage, *change)
            }
            Data::File { storage, change, strided: Some(strided), .. } => {
                (Place::Memory(self.rows(strided, &tensor.name)?), 0, *storage, *change)
            }
        };
        let row = tensor.shape.iter().skip(1).product::<u64>().max(1);
        let rows = tensor.weights() / row;
        // Rows that change places are moved one by one; all else in runs, which then need not end with a row.
        let whole = |weights: u64| (weights / storage.block()).max(1) * storage.block();
        let step = if matches!(change, Change::Rows(..)) { (BLOCK / row).max(1) * row } else { whole(BLOCK) };
        let mut done = 0;
        while done < tensor.weights() {
            let count = step.min(tensor.weights() - done);
            let bytes = match change {
                Change::Keep | Change::Add(_) => {
                    self.read(&place, offset + storage.bytes(done), storage.bytes(count))?
                }
                Change::Rows(rotation, heads) => {
                    let head = rows / heads;
                    let places = (done / row..(done + count) / row).map(|row| rotation.source(row, head));
                    let bytes = storage.bytes(row);
                    self.gather(&place, places.map(|row| offset + row * bytes), bytes)?
                }
            };
            if storage == Storage::Plain(tensor.dtype) && !matches!(change, Change::Add(_)) {
                // Untouched, so that even the payload of a NaN survives.
                out(bytes)?;
            } else {
                let mut weights = storage.decode(bytes, count as usize)?;
                if let Change::Add(number) = change {
                    for weight in &mut weights {
                        *weight += number;
                    }
                }
                encoded.clear();
                tensor.dtype.encode(&weights, &tensor.name, &mut encoded)?;
                out(&encoded)?;
            }
            done += count;
        }
        Ok(())
    }

    fn read(&mut self, place: &Place, offset: u64, bytes: u64) -> Result<&[u8]> {
        self.gather(place, std::iter::once(offset), bytes)
    }

    /// The rows of a tensor whose elements do not follow one another. All of it is held: its rows lie all over the file.
    fn rows(&mut self, tensor: &Tensor, name: &str) -> Result<Vec<u8>> {
        let mut rows = Vec::new();
        memory::resize(&mut rows, tensor.bytes as usize, 0, &format!("the rows of {name}"))?;
        let span = self.gather(&Place::File(tensor.file), std::iter::once(tensor.offset), tensor.span())?;
        tensor.gather(span, &mut rows);
        Ok(rows)
    }

    /// The `bytes` bytes at each of `offsets`, one after the other, aligned for [`Storage::decode`].
    fn gather(&mut self, place: &Place, offsets: impl Iterator<Item = u64>, bytes: u64) -> Result<&[u8]> {
        let mut len = ALIGNMENT;
        for offset in offsets {
            let end = len + bytes as usize;
            if self.buffer.len() < end {
                memory::resize(&mut self.buffer, end, 0, "a part of a tensor")?;
            }
            match place {
                Place::Memory(rows) => {
                    let start = offset as usize;
                    self.buffer[len..end].copy_from_slice(&rows[start..start + bytes as usize]);
                }
                Place::File(file) => {
                    let path = &self.paths[*file];
                    let failed = |source| Error::Read { path: path.clone(), source };
                    if self.open.as_ref().is_none_or(|(open, _)| open != file) {
                        self.open = Some((*file, File::open(path).map_err(failed)?));
                    }
                    let (_, source) = self.open.as_mut().expect("it was opened above");
                    source.seek(SeekFrom::Start(offset)).map_err(failed)?;
                    source.read_exact(&mut self.buffer[len..end]).map_err(failed)?;
                }
            }
            len = end;
        }
        // The allocator aligns a vector of bytes to far more than it must, so this is the usual case.
        let aligned = self.buffer.as_ptr().align_offset(ALIGNMENT) % ALIGNMENT;
        if aligned != 0 {
            self.buffer.copy_within(ALIGNMENT..len, aligned);
            return Ok(&self.buffer[aligned..aligned + len - ALIGNMENT]);
        }
        Ok(&self.buffer[ALIGNMENT..len])
    }
}

/// Bytes of padding after `bytes` bytes to a multiple of `alignment`, written to `out`.
pub(crate) fn pad(out: &mut dyn Write, bytes: u64, alignment: u64) -> std::io::Result<()> {
    let padding = bytes.next_multiple_of(alignment) - bytes;
    out.write_all(&vec![0; padding as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_rotations_undo_each_other() {
        for head in [2, 8, 96] {
            for row in 0..4 * head {
                assert_eq!(Rotation::Halves.source(Rotation::Neighbours.source(row, head), head), row);
            }
        }
        // The first rows of a head of eight, as llama.cpp's converter lays them out.
        let rows: Vec<u64> = (0..8).map(|row| Rotation::Neighbours.source(row, 8)).collect();
        assert_eq!(rows, [0, 4, 1, 5, 2, 6, 3, 7]);
    }
}
