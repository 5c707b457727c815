//! The header: what each tensor is, and that the tensors fill the file exactly.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::cursor::Cursor;
use crate::{Element, Error, Result, Tensor, json};

/// Bytes of a header: the format's own limit.
pub(super) const BYTES: u64 = 100_000_000;
/// Tensors of one file, as in GGUF. The largest models have some hundred thousand in hundreds of files.
const TENSORS: usize = 65_536;
/// Bytes of a tensor's name.
const NAME: usize = 4096;
/// Dimensions of a tensor.
const DIMENSIONS: usize = 16;

/// The texts that the writer left, by name.
type Metadata = BTreeMap<String, String>;

/// The tensors and the metadata.
pub(super) fn read(bytes: &[u8], file_size: u64) -> Result<(BTreeMap<String, Tensor>, Metadata)> {
    let mut cursor = Cursor::new(bytes, file_size);
    let header = cursor.string(BYTES, "the header")?;
    let data = cursor.offset();
    if header.first() != Some(&b'{') {
        let found = header.first().map_or("nothing".into(), |byte| format!("the byte {byte:#04x}"));
        return Err(Error::Malformed { what: "the header".into(), offset: 8, found, expected: "a JSON object" });
    }
    let mut object = json::object(header, BYTES, "the header")?;
    let metadata = object.remove("__metadata__").map(metadata).transpose()?.unwrap_or_default();
    if object.len() > TENSORS {
        let (what, found) = ("the number of tensors".into(), object.len() as u64);
        return Err(Error::Limit { what, offset: 8, found, limit: TENSORS as u64 });
    }
    let tensors = object.iter().map(|(name, value)| tensor(name, value, data, file_size));
    let tensors: BTreeMap<String, Tensor> = tensors.collect::<Result<_>>()?;
    fill(&tensors, data, file_size)?;
    Ok((tensors, metadata))
}

fn metadata(value: Value) -> Result<Metadata> {
    let wrong = |found: &Value| Error::Key {
        key: "__metadata__".into(),
        found: json::excerpt(found),
        expected: "an object of strings".into(),
    };
    let Value::Object(object) = value else { return Err(wrong(&value)) };
    let text = |(key, value)| match value {
        Value::String(text) => Ok((key, text)),
        other => Err(wrong(&other)),
    };
    object.into_iter().map(text).collect()
}

fn tensor(name: &str, value: &Value, data: u64, file_size: u64) -> Result<(String, Tensor)> {
    if name.is_empty() || name.len() > NAME || name.contains('\0') {
        let found = format!("a tensor's name of {} bytes", name.len());
        let expected = format!("1 to {NAME} without a zero");
        return Err(Error::Key { key: "the header".into(), found, expected });
    }
    let wrong = |found: String, expected: String| Error::Tensor { name: name.into(), found, expected };
    let fields = value.as_object().ok_or_else(|| wrong(json::excerpt(value), "an object".into()))?;
    if let Some(key) = fields.keys().find(|key| !["dtype", "shape", "data_offsets"].contains(&key.as_str())) {
        return Err(wrong(format!("the key {key:?}"), "dtype, shape and data_offsets".into()));
    }
    let dtype = fields.get("dtype").unwrap_or(&Value::Null);
    let element = dtype.as_str().and_then(Element::of_safetensors);
    let element = element.ok_or_else(|| wrong(format!("the dtype {}", json::excerpt(dtype)), Element::names()))?;

    let shape = numbers(fields, "shape").filter(|shape| shape.len() <= DIMENSIONS);
    let shape = shape.ok_or_else(|| wrong(field(fields, "shape"), format!("at most {DIMENSIONS} whole numbers")))?;
    let offsets = numbers(fields, "data_offsets");
    let Some([begin, end]) = offsets.as_deref().and_then(|offsets| <[u64; 2]>::try_from(offsets).ok()) else {
        return Err(wrong(field(fields, "data_offsets"), "two whole numbers".into()));
    };

    let size = file_size - data;
    if begin <= end && end > size {
        let needed = data.saturating_add(end);
        return Err(Error::Truncated { what: format!("the data of the tensor {name}"), needed, size: file_size });
    }
    if begin > end {
        let found = format!("the data_offsets {begin} to {end}");
        return Err(wrong(found, "a beginning before the end".into()));
    }
    let elements = shape.iter().try_fold(1, |product: u64, length| product.checked_mul(*length));
    let bytes = elements.and_then(|elements| elements.checked_mul(element.size()));
    if bytes != Some(end - begin) {
        let expected = bytes.map_or("a shape that does not overflow".into(), |bytes| {
            format!("{bytes}, as {} of shape {shape:?} need", element.name())
        });
        return Err(wrong(format!("{} bytes of data", end - begin), expected));
    }
    Ok((name.into(), Tensor { element, shape, file: 0, offset: data + begin, bytes: end - begin, strides: None }))
}

/// A field for an error message.
fn field(fields: &Map<String, Value>, key: &str) -> String {
    match fields.get(key) {
        None => format!("no {key}"),
        Some(value) => format!("the {key} {}", json::excerpt(value)),
    }
}

fn numbers(fields: &Map<String, Value>, key: &str) -> Option<Vec<u64>> {
    fields.get(key)?.as_array()?.iter().map(Value::as_u64).collect()
}

/// Checks that the tensors, in whichever order, follow each other without overlap or hole to the end of the file.
fn fill(tensors: &BTreeMap<String, Tensor>, data: u64, file_size: u64) -> Result<()> {
    let mut order: Vec<_> = tensors.iter().collect();
    // Empty tensors lie between others: they come first of those that begin at one place.
    order.sort_by_key(|(_, tensor)| (tensor.offset, tensor.bytes));
    let mut at = data;
    for (name, tensor) in order {
        if tensor.offset != at {
            let gap = if tensor.offset > at { "a hole" } else { "an overlap" };
            return Err(Error::Tensor {
                name: name.clone(),
                found: format!("data at {} ({gap})", tensor.offset - data),
                expected: format!("{}, where the tensor before ends", at - data),
            });
        }
        at += tensor.bytes;
    }
    if at != file_size {
        let what = "the end of the tensors".into();
        let (found, expected) = (at.to_string(), "the end of the file");
        return Err(Error::Malformed { what, offset: at, found: format!("{found} of {file_size} bytes"), expected });
    }
    Ok(())
}
