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
                    let shape =
                        format!("{} numbers of type {} ({bytes} bytes)", shape.iter().product::<u64>(), element.name());
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
