//! Tensors: their descriptions, and where their data lies.

use std::collections::HashSet;

use super::types::TensorType;
use super::{header, limits};
use crate::cursor::Cursor;
use crate::{Error, Result};

/// A tensor's description. Its data is in the file at [`Gguf::data_offset`](super::Gguf::data_offset) plus `offset`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tensor<'a> {
    /// The name.
    pub name: &'a str,
    /// Number of dimensions, 1 to 4.
    pub rank: u32,
    /// Elements in each dimension, the innermost first; 1 past the rank, and never 0.
    pub dims: [u64; 4],
    /// How elements are stored.
    pub kind: &'static TensorType,
    /// Where the data begins, in bytes from the start of all data.
    pub offset: u64,
    /// Length of the data in bytes.
    pub bytes: u64,
}

impl Tensor<'_> {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        // Cannot overflow: `read` found the bytes of all blocks to be a u64.
        self.dims.iter().product()
    }
}

/// Reads the descriptions of `count` tensors.
pub(crate) fn read<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<Vec<Tensor<'a>>> {
    let mut tensors = Vec::with_capacity(count as usize);
    let mut names = HashSet::with_capacity(count as usize);
    for index in 0..count {
        let offset = cursor.offset();
        let tensor = read_one(cursor, index)?;
        if !names.insert(tensor.name) {
            return Err(Error::Duplicate { what: "tensor", name: tensor.name.into(), offset });
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_one<'a>(cursor: &mut Cursor<'a>, index: u64) -> Result<Tensor<'a>> {
    let offset = cursor.offset();
    let bytes = cursor.string(limits::TENSOR_NAME, format_args!("the name of tensor {index}"))?;
    let name = header::name(bytes).ok_or_else(|| Error::Malformed {
        what: format!("the name of tensor {index}"),
        offset,
        found: header::excerpt(bytes),
        expected: "a name in UTF-8, not empty and without zero bytes",
    })?;
    let what = format_args!("the description of tensor {name}");
    let wrong = |found: String, expected: &str| Error::Tensor { name: name.into(), found, expected: expected.into() };

    let rank = cursor.u32(what)?;
    if !(1..=4).contains(&rank) {
        return Err(wrong(format!("{rank} dimensions"), "1 to 4"));
    }
    let mut dims = [1; 4];
    for dim in &mut dims[..rank as usize] {
        *dim = cursor.u64(what)?;
    }
    let id = cursor.u32(what)?;
    let kind = TensorType::from_id(id)
        .ok_or_else(|| wrong(format!("the type {id}"), "a type that ggml has and has not removed"))?;
    let offset = cursor.u64(what)?;

    if dims.contains(&0) {
        return Err(wrong(format!("the shape {dims:?}"), "dimensions above zero"));
    }
    // ggml counts elements in an i64 and bytes in a size_t, and multiplies in places without looking.
    let elements = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let elements = elements
        .filter(|&elements| i64::try_from(elements).is_ok())
        .ok_or_else(|| wrong(format!("the shape {dims:?}"), "at most 2^63 - 1 elements"))?;
    if dims[0] % kind.block != 0 {
        return Err(wrong(
            format!("rows of {}", dims[0]),
            &format!("a multiple of {}, the block length of {}", kind.block, kind.name),
        ));
    }
    let bytes = (elements / kind.block)
        .checked_mul(kind.bytes)
        .filter(|&bytes| i64::try_from(bytes).is_ok())
        .ok_or_else(|| wrong(format!("the shape {dims:?}"), "at most 2^63 - 1 bytes"))?;
    Ok(Tensor { name, rank, dims, kind, offset, bytes })
}

/// Checks that the data of all tensors lies in the file, each behind the one before, and returns where it begins.
///
/// ggml demands this order and no gaps but padding, so tensors cannot overlap either.
pub(crate) fn lay_out(tensors: &[Tensor<'_>], header: u64, alignment: u32, file_size: u64) -> Result<u64> {
    let pad = |offset: u64| offset.checked_next_multiple_of(u64::from(alignment));
    if tensors.is_empty() {
        return Ok(header);
    }
    let truncated = |what: String, needed| Error::Truncated { what, needed, size: file_size };
    let start = pad(header).filter(|&start| start <= file_size);
    let start = start.ok_or_else(|| truncated("the padding behind the header".into(), header))?;
    let mut next = Some(0);
    for tensor in tensors {
        if next != Some(tensor.offset) {
            return Err(Error::Tensor {
                name: tensor.name.into(),
                found: format!("its data at offset {}", tensor.offset),
                expected: next.map_or("a smaller sum of sizes".into(), |next| {
                    format!("{next}, right behind the tensor before and aligned to {alignment} bytes")
                }),
            });
        }
        let end = tensor.offset.checked_add(tensor.bytes);
        let in_file = end.and_then(|end| end.checked_add(start));
        if in_file.is_none_or(|end| end > file_size) {
            return Err(truncated(format!("the data of tensor {}", tensor.name), in_file.unwrap_or(u64::MAX)));
        }
        next = end.and_then(pad);
    }
    Ok(start)
}
