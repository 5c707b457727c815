//! Typed access to the keys of a GGUF file.

use trillm_core::ChatTemplates;
use trillm_formats::Gguf;
use trillm_formats::gguf::{Array, Value, ValueType};

use crate::{Error, Result};

/// The keys of a file, of which those of its architecture are named without it.
pub(crate) struct Keys<'g, 'a> {
    gguf: &'g Gguf<'a>,
    architecture: &'g str,
}

impl<'g, 'a> Keys<'g, 'a> {
    pub(crate) fn new(gguf: &'g Gguf<'a>) -> Result<Self> {
        const KEY: &str = "general.architecture";
        match gguf.get(KEY) {
            Some(Value::String(architecture)) => Ok(Self { gguf, architecture }),
            Some(other) => Err(Error::unsupported(KEY, other, "a string")),
            None => Err(Error::missing(KEY, "the name of an architecture")),
        }
    }

    /// The chat templates.
    pub(crate) fn chat_templates(&self) -> Result<ChatTemplates> {
        Ok(self.gguf.chat_templates()?)
    }

    /// `general.architecture`.
    pub(crate) fn architecture(&self) -> &'g str {
        self.architecture
    }

    /// The whole name of a key of the architecture.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// A key of the architecture.
    pub(crate) fn get(&self, key: &str) -> Option<&'g Value<'a>> {
        self.gguf.get(&self.name(key))
    }

    /// A number of the architecture; of an array, one for each layer, all must be the same.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u32>> {
        let wrong = |found: &Value<'_>| Err(Error::unsupported(self.name(key), found, "one number for all layers"));
        match self.get(key) {
            None => Ok(None),
            Some(Value::U32(number)) => Ok(Some(*number)),
            Some(found @ Value::Array(Array::Numbers { kind: ValueType::U32 | ValueType::I32, bytes })) => {
                let mut numbers = bytes.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes));
                match numbers.next() {
                    Some(first) if numbers.all(|number| number == first) => Ok(Some(first)),
                    _ => wrong(found),
                }
            }
            Some(found) => wrong(found),
        }
    }

    /// A number of the architecture that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<u32> {
        self.number(key)?.ok_or_else(|| Error::missing(self.name(key), "a number"))
    }

    /// A float of the architecture.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f32>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::F32(number)) => Ok(Some(*number)),
            Some(found) => Err(Error::unsupported(self.name(key), found, "a number (f32)")),
        }
    }

    /// A string under its whole name.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.gguf.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(found) => Err(Error::unsupported(key, found, "a string")),
        }
    }

    /// A truth value under its whole name.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.gguf.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(found) => Err(Error::unsupported(key, found, "a boolean")),
        }
    }

    /// The id of a token under its whole name.
    pub(crate) fn id(&self, key: &str) -> Result<Option<u32>> {
        match self.gguf.get(key) {
            None => Ok(None),
            Some(Value::U32(id)) => Ok(Some(*id)),
            Some(found) => Err(Error::unsupported(key, found, "a token's number (u32)")),
        }
    }

    /// Strings in UTF-8 under their whole name.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>> {
        match self.gguf.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Strings(texts))) => {
                let text = |bytes: &&'a [u8]| {
                    std::str::from_utf8(bytes).map_err(|_| {
                        Error::unsupported(key, format!("the bytes \"{}\"", bytes.escape_ascii()), "text in UTF-8")
                    })
                };
                Ok(Some(texts.iter().map(text).collect::<Result<_>>()?))
            }
            Some(found) => Err(Error::unsupported(key, found, "an array of strings")),
        }
    }

    /// The four bytes of each number of an array under its whole name.
    pub(crate) fn words(&self, key: &str, expected: ValueType) -> Result<Option<Vec<[u8; 4]>>> {
        match self.gguf.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Numbers { kind, bytes })) if *kind == expected => {
                Ok(Some(bytes.as_chunks().0.to_vec()))
            }
            Some(found) => Err(Error::unsupported(key, found, format!("an array of {}", expected.name()))),
        }
    }
}
