//! Whether two tensors of one name are one: files that were merged or split carelessly hold some twice.
//!
//! The only place that reads weights, and only of tensors that are there twice.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::{Error, Result, Tensor, WeightFile, outline};

/// Bytes that are compared at a time.
const BLOCK: u64 = 1 << 20;

/// Checks that the tensor `name` is the same in both places.
///
/// # Errors
/// [`Error::Tensor`] that names both files if it is not.
pub(crate) fn check(name: &str, one: &Tensor, other: &Tensor, files: &[WeightFile]) -> Result<()> {
    if one.lies_where(other) {
        return Ok(());
    }
    // Strided ones that look alike but lie apart are not compared element by element.
    let alike = (one.element, &one.shape, &one.strides) == (other.element, &other.shape, &other.strides);
    if alike && equal(one, other, files)? {
        return Ok(());
    }
    let [one, other] = [one, other].map(|tensor| {
        let path = files.get(tensor.file).map(|file| file.path.file_name().unwrap_or_default().to_string_lossy());
        format!("{} of shape {:?} in {}", tensor.element.name(), tensor.shape, path.unwrap_or_default())
    });
    Err(Error::Tensor {
        name: name.into(),
        found: format!("two contents: {one}, {other}"),
        expected: "one, or the same twice".into(),
    })
}

fn equal(one: &Tensor, other: &Tensor, files: &[WeightFile]) -> Result<bool> {
    let (mut first, mut second) = (Bytes::open(one, files)?, Bytes::open(other, files)?);
    let mut left = one.span();
    while left > 0 {
        let count = left.min(BLOCK) as usize;
        if first.next(count)? != second.next(count)? {
            return Ok(false);
        }
        left -= count as u64;
    }
    Ok(true)
}

/// The data of a tensor, in blocks.
struct Bytes<'f> {
    of: &'f WeightFile,
    file: File,
    block: Vec<u8>,
}

impl<'f> Bytes<'f> {
    fn open(tensor: &Tensor, files: &'f [WeightFile]) -> Result<Self> {
        let of = &files[tensor.file];
        let (mut file, size) = crate::disk::open(&of.path)?;
        if outline::is(&mut file, size).map_err(|source| failed(of, source))? {
            return Err(Error::Outline);
        }
        file.seek(SeekFrom::Start(tensor.offset)).map_err(|source| failed(of, source))?;
        Ok(Self { of, file, block: Vec::new() })
    }

    fn next(&mut self, count: usize) -> Result<&[u8]> {
        self.block.resize(count, 0);
        self.file.read_exact(&mut self.block).map_err(|source| failed(self.of, source))?;
        Ok(&self.block)
    }
}

fn failed(file: &WeightFile, source: io::Error) -> Error {
    Error::Read { path: file.path.clone(), source }
}
