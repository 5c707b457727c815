//! Writes GGUF, and broken GGUF: nothing is checked, so that tests can make files that a reader must refuse.
//!
//! It shares nothing with the reader in `trillm-formats` and the writer in `trillm-convert`, which are tested by it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A metadata value: the number of its type, and its bytes, which need not be of that type.
#[derive(Clone, PartialEq, Debug)]
pub struct Value(pub u32, pub Vec<u8>);

impl Value {
    /// An array, of no elements too.
    pub fn array<T: Element>(elements: impl IntoIterator<Item = T>) -> Self {
        let (mut bytes, mut count) = (Vec::new(), 0_u64);
        for element in elements {
            element.put(&mut bytes);
            count += 1;
        }
        Self(9, [&T::TYPE.to_le_bytes()[..], &count.to_le_bytes(), &bytes].concat())
    }
}

/// What a value or an element of an array may be.
pub trait Element {
    /// The number of the type.
    const TYPE: u32;
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($kind:literal $number:ty),*) => {
        $(impl Element for $number {
            const TYPE: u32 = $kind;
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
        })*
    };
}

numbers!(0 u8, 2 u16, 4 u32, 5 i32, 6 f32, 10 u64);

impl Element for bool {
    const TYPE: u32 = 7;
    fn put(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }
}

/// A string, which need not be UTF-8.
impl Element for &[u8] {
    const TYPE: u32 = 8;
    fn put(&self, out: &mut Vec<u8>) {
        out.extend((self.len() as u64).to_le_bytes());
        out.extend(*self);
    }
}

impl Element for &str {
    const TYPE: u32 = 8;
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
}

impl<T: Element> From<T> for Value {
    fn from(value: T) -> Self {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        Self(T::TYPE, bytes)
    }
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

impl From<TensorType> for u32 {
    fn from(kind: TensorType) -> Self {
        kind as Self
    }
}

impl TensorType {
    /// Bytes of `weights` weights.
    pub fn bytes(self, weights: u64) -> u64 {
        bytes(self.into(), weights)
    }
}

/// Bytes of weights of a type; of one that nothing here has written, as many as 32-bit floats take.
fn bytes(kind: u32, weights: u64) -> u64 {
    match kind {
        1 | 30 => weights.wrapping_mul(2),
        8 => (weights / 32).wrapping_mul(34),
        _ => weights.wrapping_mul(4),
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
    /// Where it is said to begin, counted from the end of the header; right behind the tensor before if `None`.
    pub offset: Option<u64>,
    /// Bytes it takes. Not part of the header.
    pub bytes: u64,
}

/// A GGUF file to be written. All fields are public: change any of them to get a file that is wrong there.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Gguf {
    /// The first four bytes.
    pub magic: [u8; 4],
    /// The format's version.
    pub version: u32,
    /// To what the header and tensors are padded. Other than 32 it must also be set as `general.alignment`.
    pub alignment: u64,
    /// Keys, which need not be UTF-8, and values.
    pub keys: Vec<(Vec<u8>, Value)>,
    /// The tensors.
    pub tensors: Vec<TensorInfo>,
    /// The number of keys to claim, if not the true one.
    pub key_count: Option<u64>,
    /// The number of tensors to claim, if not the true one.
    pub tensor_count: Option<u64>,
}

impl Default for Gguf {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            alignment: 32,
            keys: Vec::new(),
            tensors: Vec::new(),
            key_count: None,
            tensor_count: None,
        }
    }
}

impl Gguf {
    /// A vocabulary of words, with their types and scores.
    pub fn vocabulary(model: &str, words: &[(&str, i32, f32)]) -> Self {
        Self::default().key("general.architecture", "llama").tokenizer(&[
            ("model", model.into()),
            ("tokens", Value::array(words.iter().map(|word| word.0))),
            ("token_type", Value::array(words.iter().map(|word| word.1))),
            ("scores", Value::array(words.iter().map(|word| word.2))),
        ])
    }

    /// Sets keys under `tokenizer.ggml`.
    pub fn tokenizer(self, keys: &[(&str, Value)]) -> Self {
        keys.iter().fold(self, |file, (key, value)| file.key(&format!("tokenizer.ggml.{key}"), value.clone()))
    }

    /// Sets a key, in its old place if it had one.
    pub fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        match self.keys.iter_mut().find(|(other, _)| other == key.as_bytes()) {
            Some((_, old)) => *old = value.into(),
            None => self.keys.push((key.into(), value.into())),
        }
        self
    }

    /// Leaves out a key.
    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(other, _)| other != key.as_bytes());
        self
    }

    /// Calls the architecture something else, in the names of its keys too.
    pub fn architecture(self, from: &str, to: &str) -> Self {
        let mut file = self.key("general.architecture", to);
        for (key, _) in &mut file.keys {
            if let Some(rest) = key.strip_prefix(from.as_bytes()).filter(|rest| rest.starts_with(b".")) {
                *key = [to.as_bytes(), rest].concat();
            }
        }
        file
    }

    /// Adds a tensor behind those added before, sizes with the fastest-moving first.
    pub fn tensor(mut self, name: &str, dimensions: &[u64], kind: impl Into<u32>) -> Self {
        let kind = kind.into();
        let bytes = bytes(kind, dimensions.iter().fold(1, |product: u64, size| product.wrapping_mul(*size)));
        self.tensors.push(TensorInfo { name: name.into(), dimensions: dimensions.into(), kind, offset: None, bytes });
        self
    }

    /// Changes one tensor.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn change(mut self, name: &str, change: impl FnOnce(&mut TensorInfo)) -> Self {
        change(self.tensors.iter_mut().find(|tensor| tensor.name == name).expect("a tensor of this name"));
        self
    }

    /// Changes anything.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Everything before the first tensor's data and the padding before that.
    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for (key, Value(kind, bytes)) in &self.keys {
            key.as_slice().put(&mut out);
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        let mut next = 0;
        for tensor in &self.tensors {
            let offset = tensor.offset.unwrap_or(next);
            next = offset.wrapping_add(tensor.bytes).next_multiple_of(self.alignment);
            tensor.name.as_str().put(&mut out);
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            out.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out
    }

    /// The whole file, its weights all zero. Of a tensor that claims more, 16 MiB are there.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment as usize), 0);
            out.resize(out.len() + tensor.bytes.min(16 << 20) as usize, 0);
        }
        out
    }

    /// Writes the file; `fill` writes the data of each tensor, given by index: exactly as many bytes as it takes.
    pub fn write(&self, path: &Path, mut fill: impl FnMut(usize, &mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let header = self.header();
        out.write_all(&header)?;
        let mut at = header.len() as u64;
        for (index, tensor) in self.tensors.iter().enumerate() {
            let start = at.next_multiple_of(self.alignment);
            out.write_all(&vec![0; (start - at) as usize])?;
            fill(index, &mut out)?;
            at = start + tensor.bytes;
        }
        out.into_inner()?.sync_all()
    }
}
