//! Writes the header of a GGUF file, version 3.

use crate::plan::Planned;

/// Alignment of tensors: `GGUF_DEFAULT_ALIGNMENT`, which a file need not name.
pub(crate) const ALIGNMENT: u64 = 32;

/// A metadata value.
pub(crate) enum Value {
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
    Bools(Vec<bool>),
}

/// The keys of a file that is being put together.
#[derive(Default)]
pub(crate) struct Header {
    keys: Vec<(String, Value)>,
}

impl Header {
    /// Adds a key.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.keys.push((key.into(), value.into()));
    }

    /// All bytes before the first tensor's data.
    pub(crate) fn bytes(&self, tensors: &[Planned]) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            put_text(&mut out, key);
            value.put(&mut out);
        }
        let mut offset = 0;
        for tensor in tensors {
            put_text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            // The innermost dimension first.
            out.extend(tensor.shape.iter().rev().flat_map(|length| length.to_le_bytes()));
            out.extend(ggml_type(tensor).to_le_bytes());
            out.extend(u64::to_le_bytes(offset));
            offset += tensor.bytes().next_multiple_of(ALIGNMENT);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT as usize), 0);
        out
    }
}

/// `enum ggml_type`.
fn ggml_type(tensor: &Planned) -> u32 {
    match tensor.dtype {
        crate::Dtype::F32 => 0,
        crate::Dtype::F16 => 1,
        crate::Dtype::Bf16 => 30,
    }
}

impl Value {
    /// `gguf_metadata_value_type`, then the value.
    fn put(&self, out: &mut Vec<u8>) {
        const ARRAY: u32 = 9;
        let array = |out: &mut Vec<u8>, kind: u32, len: usize| {
            out.extend(ARRAY.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend((len as u64).to_le_bytes());
        };
        match self {
            Self::U32(value) => {
                out.extend(4u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Self::I32(value) => {
                out.extend(5u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Self::F32(value) => {
                out.extend(6u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Self::Bool(value) => {
                out.extend(7u32.to_le_bytes());
                out.push(u8::from(*value));
            }
            Self::Text(value) => {
                out.extend(8u32.to_le_bytes());
                put_text(out, value);
            }
            Self::Texts(values) => {
                array(out, 8, values.len());
                for value in values {
                    put_text(out, value);
                }
            }
            Self::F32s(values) => {
                array(out, 6, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::I32s(values) => {
                array(out, 5, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::Bools(values) => {
                array(out, 7, values.len());
                out.extend(values.iter().map(|&value| u8::from(value)));
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from!(u32 => U32, i32 => I32, f32 => F32, bool => Bool, &str => Text, String => Text, Vec<String> => Texts, Vec<f32> => F32s,
    Vec<i32> => I32s, Vec<bool> => Bools);
