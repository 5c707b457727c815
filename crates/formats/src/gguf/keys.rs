//! Typed access to metadata. A key of the wrong type is an error: llama.cpp would not convert it either.

use std::ops::RangeInclusive;

use super::Gguf;
use super::value::{Array, Value, ValueType};
use crate::{Error, Result};

impl<'a> Gguf<'a> {
    /// The value of `key`, if it has one, through `read`; where that yields nothing, `expected` says what it wanted.
    fn typed<'g, T>(
        &'g self,
        key: &str,
        expected: &str,
        read: impl Fn(&'g Value<'a>) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong(key, value, expected))
    }

    pub(crate) fn u32(&self, key: &str) -> Result<Option<u32>> {
        self.typed(key, "a number (u32)", |value| match value {
            Value::U32(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn u16(&self, key: &str) -> Result<Option<u16>> {
        self.typed(key, "a number (u16)", |value| match value {
            Value::U16(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn i32(&self, key: &str) -> Result<Option<i32>> {
        self.typed(key, "a number (i32)", |value| match value {
            Value::I32(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a number (f32)", |value| match value {
            Value::F32(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a boolean", |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.typed(key, "a string", |value| match value {
            Value::String(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn strings(&self, key: &str) -> Result<Option<&[&'a [u8]]>> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Array(Array::Strings(strings)) => Some(strings.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn array(&self, key: &str, kinds: &[ValueType], expected: &str) -> Result<Option<&Array<'a>>> {
        self.typed(key, expected, |value| match value {
            Value::Array(array) if kinds.contains(&array.kind()) => Some(array),
            _ => None,
        })
    }
}

/// The keys of one architecture: those that begin with its name and a dot.
pub(crate) struct Keys<'g, 'a> {
    pub(crate) gguf: &'g Gguf<'a>,
    pub(crate) architecture: &'g str,
}

impl Keys<'_, '_> {
    /// The whole key.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    pub(crate) fn u32(&self, key: &str) -> Result<Option<u32>> {
        self.gguf.u32(&self.name(key))
    }

    /// Whether values are computed from the keys that are kept.
    pub(crate) fn is_latent(&self) -> Result<bool> {
        let has = |key: &str| self.u32(key).map(|size| size.is_some_and(|size| size > 0));
        Ok(has("attention.key_length_mla")? && has("attention.value_length_mla")?)
    }

    /// A number within a range, if it is there.
    pub(crate) fn within(&self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>> {
        match self.u32(key)? {
            Some(value) if !range.contains(&value) => {
                self.wrong(key, value, format!("{} to {}", range.start(), range.end()))
            }
            value => Ok(value),
        }
    }

    /// A number within a range that must be there.
    pub(crate) fn required(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.within(key, range)?.ok_or_else(|| Error::MissingKey { key: self.name(key), expected })
    }

    /// A number for each of `layers` layers: one for all, or an array. Each is at most `most`.
    pub(crate) fn layered(&self, key: &str, layers: u32, most: u32) -> Result<Option<Vec<u32>>> {
        let name = self.name(key);
        let values: Vec<u32> = match self.gguf.get(&name) {
            None => return Ok(None),
            Some(Value::U32(value)) => vec![*value; layers as usize],
            // llama.cpp takes either sign for the same 32 bits.
            Some(Value::Array(array)) if matches!(array.kind(), ValueType::U32 | ValueType::I32) => {
                array.words().map(u32::from_le_bytes).collect()
            }
            Some(other) => {
                return Err(wrong(&name, other, "a number (u32) or an array of numbers, one for each layer"));
            }
        };
        if values.len() != layers as usize {
            return self.wrong(
                key,
                format!("an array of {}", values.len()),
                format!("one number for each of {layers} layers"),
            );
        }
        match values.iter().find(|&&value| value > most) {
            Some(value) => self.wrong(key, value, format!("at most {most}")),
            None => Ok(Some(values)),
        }
    }

    /// Whether the element for a layer of an array of numbers or booleans is another than zero; `None` without one.
    pub(crate) fn listed(&self, key: &str, layer: u32) -> Option<bool> {
        let Some(Value::Array(array @ Array::Numbers { bytes, .. })) = self.gguf.get(&self.name(key)) else {
            return None;
        };
        let width = bytes.len().checked_div(array.len())?;
        let element = bytes.chunks_exact(width).nth(layer as usize)?;
        Some(element.iter().any(|&byte| byte != 0))
    }

    /// The same, or what one number says of all layers.
    pub(crate) fn flagged(&self, key: &str, layer: u32) -> Option<bool> {
        match self.gguf.get(&self.name(key)) {
            Some(Value::U32(number)) => Some(*number != 0),
            _ => self.listed(key, layer),
        }
    }

    /// The error that `key` holds `found`.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over numbers and `format_args!`")]
    pub(crate) fn wrong<T>(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> Result<T> {
        Err(Error::Key { key: self.name(key), found: found.to_string(), expected: expected.into() })
    }
}

/// The error that `key` holds `found`.
#[expect(clippy::needless_pass_by_value, reason = "callers hand over numbers and `format_args!`")]
pub(crate) fn wrong(key: &str, found: impl ToString, expected: impl Into<String>) -> Error {
    Error::Key { key: key.into(), found: found.to_string(), expected: expected.into() }
}
