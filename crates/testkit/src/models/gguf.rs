//! Writes GGUF, and broken GGUF: nothing is checked, so that tests can make files that a reader must refuse.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A metadata value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// 32 bits, unsigned.
    U32(u32),
    /// 32 bits, signed.
    I32(i32),
    /// 64 bits, unsigned.
    U64(u64),
    /// A 32-bit float.
    F32(f32),
    /// A truth value.
    Bool(bool),
    /// A text.
    String(String),
    /// Values of one type: that of the first.
    Array(Vec<Value>),
    /// Any bytes under any type number.
    Raw(u32, Vec<u8>),
}

/// How the weights of a tensor are stored, numbered as in ggml.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TensorType {
    /// 32-bit floats.
    F32 = 0,
    /// 16-bit floats.
    F16 = 1,
    /// Blocks of 32 8-bit integers and their 16-bit scale.
    Q8_0 = 8,
    /// The upper halves of 32-bit floats.
    Bf16 = 30,
}

impl TensorType {
    /// Bytes of `weights` weights.
    pub fn bytes(self, weights: u64) -> u64 {
        match self {
            Self::F32 => weights * 4,
            Self::F16 | Self::Bf16 => weights * 2,
            Self::Q8_0 => weights / 32 * 34,
        }
    }
}

/// A tensor as the header describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its sizes, the fastest-moving first.
    pub dimensions: Vec<u64>,
    /// Its type, as ggml numbers them.
    pub kind: u32,
    /// Where it begins, counted from the end of the header.
    pub offset: u64,
    /// Bytes it takes. Not part of the header.
    pub bytes: u64,
}

/// A GGUF file to be written. All fields are public: change any of them to get a file that is wrong there.
#[derive(Clone, PartialEq, Debug)]
pub struct Gguf {
    /// The first four bytes.
    pub magic: [u8; 4],
    /// The format's version.
    pub version: u32,
    /// To what the header and every tensor are padded. Other than 32 it must also be set as `general.alignment`.
    pub alignment: u64,
    /// Keys and values.
    pub metadata: Vec<(String, Value)>,
    /// The tensors.
    pub tensors: Vec<TensorInfo>,
    /// The number of keys to claim, if not the true one.
    pub metadata_count: Option<u64>,
    /// The number of tensors to claim, if not the true one.
    pub tensor_count: Option<u64>,
}

impl Default for Gguf {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            alignment: 32,
            metadata: Vec::new(),
            tensors: Vec::new(),
            metadata_count: None,
            tensor_count: None,
        }
    }
}

impl Gguf {
    /// Adds a key.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.metadata.push((key.into(), value.into()));
    }

    /// Adds a tensor after those added before, sizes with the fastest-moving first.
    pub fn tensor(&mut self, name: &str, dimensions: &[u64], kind: TensorType) {
        let offset = self.tensors.last().map_or(0, |last| self.padded(last.offset + last.bytes));
        let bytes = kind.bytes(dimensions.iter().product());
        self.tensors.push(TensorInfo {
            name: name.into(),
            dimensions: dimensions.into(),
            kind: kind as u32,
            offset,
            bytes,
        });
    }

    fn padded(&self, length: u64) -> u64 {
        length.next_multiple_of(self.alignment)
    }

    /// Everything before the first tensor's data, padding included.
    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.metadata_count.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut out, key);
            out.extend(value.kind().to_le_bytes());
            value.put(&mut out);
        }
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            out.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.to_le_bytes());
        }
        out.resize(self.padded(out.len() as u64) as usize, 0);
        out
    }

    /// Writes the file; `fill` writes the data of each tensor, given by index: exactly as many bytes as it takes.
    pub fn write(&self, path: &Path, mut fill: impl FnMut(usize, &mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&self.header())?;
        for (index, tensor) in self.tensors.iter().enumerate() {
            fill(index, &mut out)?;
            let padding = self.padded(tensor.bytes) - tensor.bytes;
            out.write_all(&vec![0; padding as usize])?;
        }
        out.into_inner()?.sync_all()
    }
}

impl Value {
    fn kind(&self) -> u32 {
        match self {
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::Raw(kind, _) => *kind,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::U32(value) => out.extend(value.to_le_bytes()),
            Self::I32(value) => out.extend(value.to_le_bytes()),
            Self::U64(value) => out.extend(value.to_le_bytes()),
            Self::F32(value) => out.extend(value.to_le_bytes()),
            Self::Bool(value) => out.push((*value).into()),
            Self::String(value) => put_string(out, value),
            Self::Array(values) => {
                out.extend(values.first().map_or(4, Value::kind).to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                for value in values {
                    value.put(out);
                }
            }
            Self::Raw(_, bytes) => out.extend(bytes),
        }
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::F32(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}
