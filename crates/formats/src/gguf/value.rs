//! Metadata values: thirteen types, one of them an array of the others.

use std::fmt;

use super::limits;
use crate::cursor::Cursor;
use crate::{Error, Result};

/// The type of a metadata value, numbered as `gguf_metadata_value_type` in the GGUF specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The name, as GGUF tools print it.
    pub fn name(self) -> &'static str {
        ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"][self as usize]
    }

    /// Bytes of one value; `None` where that depends on the value.
    fn width(self) -> Option<u64> {
        Some(match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::String | Self::Array => return None,
        })
    }

    fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self> {
        let offset = cursor.offset();
        let id = cursor.u32(format_args!("the type of key {key}"))?;
        Self::ALL.get(id as usize).copied().ok_or_else(|| Error::Malformed {
            what: format!("the type of key {key}"),
            offset,
            found: id.to_string(),
            expected: "a value type from 0 to 12",
        })
    }
}

/// A metadata value. Strings and arrays lie in the bytes that were parsed.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array of values of one type. The format allows arrays of arrays; llama.cpp does not, nor do we.
#[derive(Clone, PartialEq, Debug)]
pub enum Array<'a> {
    /// Strings. Bytes, because vocabularies hold tokens that are pieces of characters.
    Strings(Vec<&'a [u8]>),
    /// Numbers or booleans, little-endian, back to back.
    Numbers {
        /// Their type.
        kind: ValueType,
        /// Their bytes.
        bytes: &'a [u8],
    },
}

impl<'a> Array<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Strings(strings) => strings.len(),
            Self::Numbers { kind, bytes } => bytes.len() / kind.width().map_or(1, |width| width as usize),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Type of the elements.
    pub fn kind(&self) -> ValueType {
        match self {
            Self::Strings(_) => ValueType::String,
            Self::Numbers { kind, .. } => *kind,
        }
    }

    /// The elements, if they take four bytes each.
    pub(crate) fn words(&self) -> impl Iterator<Item = [u8; 4]> + 'a {
        let bytes: &'a [u8] = match self {
            Self::Numbers { kind, bytes } if kind.width() == Some(4) => bytes,
            _ => &[],
        };
        bytes.as_chunks().0.iter().copied()
    }

    fn read(cursor: &mut Cursor<'a>, key: &str) -> Result<Self> {
        let offset = cursor.offset();
        let kind = ValueType::read(cursor, key)?;
        if kind == ValueType::Array {
            return Err(Error::Malformed {
                what: format!("the element type of key {key}"),
                offset,
                found: "an array of arrays".into(),
                expected: "numbers or strings",
            });
        }
        let what = || format!("the array of key {key}");
        let offset = cursor.offset();
        let len = cursor.u64(what())?;
        if len > limits::ARRAY {
            let what = format!("the length of {}", what());
            return Err(Error::Limit { what, offset, found: len, limit: limits::ARRAY });
        }
        let Some(width) = kind.width() else {
            // Every string takes eight bytes at least: a length that the file cannot hold must not reserve memory.
            let needed = cursor.offset() + len * 8;
            if len * 8 > cursor.remaining() {
                let size = cursor.offset() + cursor.remaining();
                return Err(Error::Truncated { what: what(), needed, size });
            }
            let mut strings = Vec::with_capacity(len as usize);
            for _ in 0..len {
                strings.push(cursor.string(limits::STRING, format_args!("a string of key {key}"))?);
            }
            return Ok(Self::Strings(strings));
        };
        let offset = cursor.offset();
        let bytes = cursor.take(len * width, what())?;
        if let Some(found) = bytes.iter().find(|&&byte| kind == ValueType::Bool && byte > 1) {
            return Err(not_a_bool(key, offset, *found));
        }
        Ok(Self::Numbers { kind, bytes })
    }
}

impl<'a> Value<'a> {
    /// The value's type.
    pub fn kind(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    pub(crate) fn read(cursor: &mut Cursor<'a>, key: &str) -> Result<Self> {
        let kind = ValueType::read(cursor, key)?;
        let what = format_args!("key {key}");
        let offset = cursor.offset();
        Ok(match kind {
            ValueType::U8 => Self::U8(u8::from_le_bytes(cursor.array(what)?)),
            ValueType::I8 => Self::I8(i8::from_le_bytes(cursor.array(what)?)),
            ValueType::U16 => Self::U16(u16::from_le_bytes(cursor.array(what)?)),
            ValueType::I16 => Self::I16(i16::from_le_bytes(cursor.array(what)?)),
            ValueType::U32 => Self::U32(u32::from_le_bytes(cursor.array(what)?)),
            ValueType::I32 => Self::I32(i32::from_le_bytes(cursor.array(what)?)),
            ValueType::F32 => Self::F32(f32::from_le_bytes(cursor.array(what)?)),
            ValueType::U64 => Self::U64(u64::from_le_bytes(cursor.array(what)?)),
            ValueType::I64 => Self::I64(i64::from_le_bytes(cursor.array(what)?)),
            ValueType::F64 => Self::F64(f64::from_le_bytes(cursor.array(what)?)),
            ValueType::Bool => match cursor.array(what)? {
                [byte @ 0..=1] => Self::Bool(byte == 1),
                [found] => return Err(not_a_bool(key, offset, found)),
            },
            ValueType::String => {
                let bytes = cursor.string(limits::STRING, what)?;
                Self::String(std::str::from_utf8(bytes).map_err(|error| Error::Malformed {
                    what: format!("key {key}"),
                    offset,
                    found: format!("a string that is not UTF-8 from byte {}", error.valid_up_to()),
                    expected: "a string in UTF-8",
                })?)
            }
            ValueType::Array => Self::Array(Array::read(cursor, key)?),
        })
    }
}

/// What a value is, for an error message: short, whatever the value.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U8(value) => write!(f, "{value} (u8)"),
            Self::I8(value) => write!(f, "{value} (i8)"),
            Self::U16(value) => write!(f, "{value} (u16)"),
            Self::I16(value) => write!(f, "{value} (i16)"),
            Self::U32(value) => write!(f, "{value} (u32)"),
            Self::I32(value) => write!(f, "{value} (i32)"),
            Self::F32(value) => write!(f, "{value} (f32)"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::String(value) if value.len() > 64 => write!(f, "a string of {} bytes", value.len()),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Array(array) => write!(f, "an array of {} {}", array.len(), array.kind().name()),
            Self::U64(value) => write!(f, "{value} (u64)"),
            Self::I64(value) => write!(f, "{value} (i64)"),
            Self::F64(value) => write!(f, "{value} (f64)"),
        }
    }
}

fn not_a_bool(key: &str, offset: u64, found: u8) -> Error {
    Error::Malformed {
        what: format!("key {key}"),
        offset,
        found: format!("the byte {found}"),
        expected: "a boolean of 0 or 1",
    }
}
