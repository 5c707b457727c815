//! `TensorProto`: element type, shape, and where the numbers are.

use super::DataType;
use super::wire::{Fields, shortened};
use crate::{Error, Result};

/// Dimensions of a tensor.
const DIMENSIONS: usize = 16;

/// A tensor in the graph.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) element: DataType,
    pub(super) shape: Vec<u64>,
    /// Bytes that element type and shape ask for.
    pub(super) bytes: u64,
    pub(super) data: Data<'a>,
}

/// Where the numbers of a tensor are.
#[derive(Debug)]
pub(super) enum Data<'a> {
    /// In the graph.
    Inline,
    /// In the file with the graph, from this offset on.
    Left(u64),
    /// In another file, of which nothing is needed.
    Empty,
    /// In another file: keys and values of `external_data`.
    External(Vec<(&'a str, &'a str)>),
}

impl<'a> Tensor<'a> {
    /// `left` is where `raw_data` lies, and how long it is, if it was not copied.
    pub(super) fn read(fields: Fields<'a>, left: Option<(u64, u64)>) -> Result<Self> {
        let (mut name, mut kind, mut location) = (None, None, None);
        let (mut shape, mut external) = (Vec::new(), Vec::new());
        // The kinds of data that are there: by the field, how many numbers or bytes.
        let mut data: Vec<(u32, u64)> = Vec::new();
        for it in fields {
            let it = it?;
            match it.number {
                1 => {
                    // One more than there may be says that there are too many.
                    let keep = |length| {
                        if shape.len() <= DIMENSIONS {
                            shape.push(length);
                        }
                    };
                    it.int64s(keep)?;
                }
                2 => it.once(&mut kind, it.int32()?)?,
                4 | 5 | 7 | 9 | 10 | 11 => {
                    let count = match it.number {
                        4 => it.fixed(4)?,
                        10 => it.fixed(8)?,
                        9 => it.bytes()?.len() as u64,
                        _ => it.int64s(|_| ())?,
                    };
                    match data.iter_mut().find(|(number, _)| *number == it.number) {
                        Some(_) if it.number == 9 => return Err(it.error("a second one", "one such field")),
                        Some((_, total)) => *total += count,
                        None => data.push((it.number, count)),
                    }
                }
                8 => it.once(&mut name, it.text()?)?,
                13 if external.len() == 8 => return Err(it.error("a ninth entry", "8 entries at most")),
                13 => external.push(entry(it.message("an entry of external_data")?)?),
                14 => it.once(&mut location, it.int32()?)?,
                // doc_string, metadata_props.
                12 | 16 => drop(it.bytes()?),
                3 => return Err(it.error("a segment of a tensor", "whole tensors")),
                6 => return Err(it.error("strings", "numbers")),
                _ => return Err(it.unknown()),
            }
            if shape.len() > DIMENSIONS {
                return Err(it.error("more dimensions", "16 dimensions at most"));
            }
        }
        let name = name.unwrap_or_default();
        let wrong = |found: String, expected: String| Error::Tensor { name: shortened(name), found, expected };
        let element = DataType::known(kind.unwrap_or_default())
            .map_err(|found| wrong(format!("the element type {found}"), DataType::names()))?;
        let lengths: Option<Vec<u64>> = shape.iter().map(|&length| u64::try_from(length).ok()).collect();
        let sized = lengths.and_then(|shape| {
            let bytes = element.bytes(&shape)?;
            Some((shape, bytes))
        });
        let (shape, bytes) =
            sized.ok_or_else(|| wrong(format!("the shape {shape:?}"), "lengths whose product is below 2^63".into()))?;
        if let Some((_, length)) = left {
            data.push((9, length));
        }
        let (count, kinds) = (data.iter().map(|(_, count)| count).sum::<u64>(), data.len());
        let external = match location.unwrap_or_default() {
            0 if external.is_empty() => None,
            0 => return Err(wrong("external_data, but no data_location".into(), "both or none".into())),
            1 if count > 0 => return Err(wrong("numbers here and in another file".into(), "one of them".into())),
            1 => Some(external),
            other => return Err(wrong(format!("data_location {other}"), "0 or 1".into())),
        };
        let data = match (external, left) {
            (Some(entries), _) if bytes > 0 => Data::External(entries),
            (Some(_), _) => Data::Empty,
            (None, _) if kinds > 1 => return Err(wrong("numbers in several fields".into(), "one field".into())),
            (None, left) => {
                let (number, found) = data.first().copied().unwrap_or((9, 0));
                let expected = element.count(number, &shape, bytes);
                if expected != Some(found) {
                    let unit = if number == 9 { "bytes" } else { "numbers" };
                    let found = format!("{found} {unit} in field {number}");
                    let shape = format!("{} numbers of type {} ({bytes} bytes)", elements(&shape), element.name());
                    return Err(wrong(found, shape));
                }
                left.map_or(Data::Inline, |(offset, _)| Data::Left(offset))
            }
        };
        Ok(Self { name, element, shape, bytes, data })
    }
}

/// `StringStringEntryProto`.
fn entry(fields: Fields<'_>) -> Result<(&str, &str)> {
    let (mut key, mut value) = (None, None);
    for it in fields {
        let it = it?;
        match it.number {
            1 => it.once(&mut key, it.text()?)?,
            2 => it.once(&mut value, it.text()?)?,
            _ => return Err(it.unknown()),
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// The product of lengths that were checked.
fn elements(shape: &[u64]) -> u64 {
    shape.iter().product()
}

/// Each type by its name for messages.
const NAMES: [(&str, DataType); 15] = [
    ("F32", DataType::F32),
    ("UINT8", DataType::U8),
    ("INT8", DataType::I8),
    ("UINT16", DataType::U16),
    ("INT16", DataType::I16),
    ("INT32", DataType::I32),
    ("INT64", DataType::I64),
    ("BOOL", DataType::Bool),
    ("F16", DataType::F16),
    ("F64", DataType::F64),
    ("UINT32", DataType::U32),
    ("UINT64", DataType::U64),
    ("BF16", DataType::Bf16),
    ("UINT4", DataType::U4),
    ("INT4", DataType::I4),
];

impl DataType {
    /// Its name: `F32`, `INT8`, …
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, element)| *element == self).map_or("", |(name, _)| name)
    }

    /// The type of a number of `TensorProto.DataType`; if it is not used here, what it is called.
    pub(super) fn known(number: i32) -> Result<Self, String> {
        const OTHERS: [(i32, &str); 12] = [
            (0, "UNDEFINED"),
            (8, "STRING"),
            (14, "COMPLEX64"),
            (15, "COMPLEX128"),
            (17, "FLOAT8E4M3FN"),
            (18, "FLOAT8E4M3FNUZ"),
            (19, "FLOAT8E5M2"),
            (20, "FLOAT8E5M2FNUZ"),
            (23, "FLOAT4E2M1"),
            (24, "FLOAT8E8M0"),
            (25, "UINT2"),
            (26, "INT2"),
        ];
        let known = NAMES.iter().map(|(_, element)| *element).find(|element| *element as i32 == number);
        known.ok_or_else(|| {
            let other = OTHERS.iter().find(|(other, _)| *other == number);
            other.map_or_else(|| number.to_string(), |(_, name)| (*name).into())
        })
    }

    /// All names, for messages.
    fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// Bytes of a tensor; `None` if they are 2^63 or more. Two numbers of four bits share a byte.
    pub(super) fn bytes(self, shape: &[u64]) -> Option<u64> {
        let elements = shape.iter().try_fold(1u64, |product, &length| product.checked_mul(length));
        // A shape with a zero in it is empty, however long the others are; but the product of the others is asked for
        // by programs that index, so it must be sound too.
        let others = shape.iter().filter(|&&length| length > 0);
        others.into_iter().try_fold(1u64, |product, &length| product.checked_mul(length))?;
        let bits = match self {
            Self::U4 | Self::I4 => 4,
            Self::U8 | Self::I8 | Self::Bool => 8,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 16,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F64 | Self::I64 | Self::U64 => 64,
        };
        let bytes = (u128::from(elements?) * bits).div_ceil(8);
        u64::try_from(bytes).ok().filter(|&bytes| bytes < 1 << 63)
    }

    /// How many numbers (of `raw_data`, 9, bytes) a field must hold for a tensor of this type; `None` if it is not the
    /// field for the type.
    fn count(self, field: u32, shape: &[u64], bytes: u64) -> Option<u64> {
        let elements = elements(shape);
        match (field, self) {
            (9, _) | (5, Self::U4 | Self::I4) => Some(bytes),
            (4, Self::F32) | (10, Self::F64) | (7, Self::I64) | (11, Self::U32 | Self::U64) => Some(elements),
            (5, Self::I32 | Self::I16 | Self::I8 | Self::U16 | Self::U8 | Self::Bool | Self::F16 | Self::Bf16) => {
                Some(elements)
            }
            _ => None,
        }
    }
}
