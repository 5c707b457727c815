//! The first bytes: magic number, version, counts, and the keys behind them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::limits;
use super::value::Value;
use crate::cursor::Cursor;
use crate::{Error, Result, detect};

/// Alignment where the file says none: `GGUF_DEFAULT_ALIGNMENT`.
const DEFAULT_ALIGNMENT: u32 = 32;

/// The least bytes a key with its value takes: a length, one letter, a type, one byte.
const LEAST_KEY: u64 = 8 + 1 + 4 + 1;

/// The least bytes the description of a tensor takes: a length, one letter, the number of dimensions, one dimension,
/// a type, an offset.
const LEAST_TENSOR: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// What the first 24 bytes say.
pub(crate) struct Header {
    pub(crate) version: u32,
    pub(crate) tensors: u64,
    pub(crate) keys: u64,
}

/// Reads the first 24 bytes; `bytes` are looked at if they are not GGUF, to say what they are.
pub(crate) fn read(cursor: &mut Cursor<'_>, bytes: &[u8]) -> Result<Header> {
    if detect::detect(bytes) != Some(detect::Format::Gguf) {
        return Err(Error::UnknownFormat { expected: "a GGUF file", found: detect::describe(bytes) });
    }
    cursor.take(4, "the magic number")?;
    let version = cursor.u32("the version")?;
    if version != 0 && version.trailing_zeros() >= 16 {
        return Err(Error::BigEndian { version });
    }
    if !(2..=3).contains(&version) {
        return Err(Error::Version { found: version });
    }
    let mut count = |what: &str, limit: u64, least: u64| {
        let offset = cursor.offset();
        let found = cursor.u64(what)?;
        if found > limit {
            return Err(Error::Limit { what: what.into(), offset, found, limit });
        }
        Ok((found, found * least))
    };
    let (tensors, tensor_bytes) = count("the number of tensors", limits::TENSORS, LEAST_TENSOR)?;
    let (keys, key_bytes) = count("the number of keys", limits::KEYS, LEAST_KEY)?;
    if tensor_bytes + key_bytes > cursor.remaining() {
        return Err(Error::Truncated {
            what: format!("{keys} keys and {tensors} tensors"),
            needed: cursor.offset() + tensor_bytes + key_bytes,
            size: cursor.offset() + cursor.remaining(),
        });
    }
    Ok(Header { version, tensors, keys })
}

/// Reads `count` keys with their values.
pub(crate) fn keys<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<HashMap<&'a str, Value<'a>>> {
    let mut keys = HashMap::with_capacity(count as usize);
    for index in 0..count {
        let offset = cursor.offset();
        let bytes = cursor.string(limits::KEY, format_args!("the name of key {index}"))?;
        let key = name(bytes).ok_or_else(|| Error::Malformed {
            what: format!("the name of key {index}"),
            offset,
            found: excerpt(bytes),
            expected: "a name in UTF-8, not empty and without zero bytes",
        })?;
        let value = Value::read(cursor, key)?;
        match keys.entry(key) {
            Entry::Vacant(entry) => entry.insert(value),
            Entry::Occupied(_) => return Err(Error::Duplicate { what: "key", name: key.into(), offset }),
        };
    }
    Ok(keys)
}

/// A name that means the same to a reader of C strings, such as llama.cpp, which would stop at a zero byte.
pub(crate) fn name(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|name| !name.is_empty() && !name.contains('\0'))
}

/// The first bytes of a string that may be anything, in quotes.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text: String = bytes.escape_ascii().take(64).map(char::from).collect();
    format!("\"{text}\"")
}

/// The alignment of tensors, from `general.alignment`.
pub(crate) fn alignment(keys: &HashMap<&str, Value<'_>>) -> Result<u32> {
    const KEY: &str = "general.alignment";
    match keys.get(KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        // The specification asks for a multiple of 8, and ggml for a power of two.
        Some(Value::U32(value)) if value.is_power_of_two() && (8..=limits::ALIGNMENT).contains(value) => Ok(*value),
        Some(found) => Err(Error::Key {
            key: KEY.into(),
            found: found.to_string(),
            expected: format!("a power of two from 8 to {} (u32)", limits::ALIGNMENT),
        }),
    }
}
