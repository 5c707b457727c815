//! GGUF: metadata, then tensors, as specified in `docs/gguf.md` of ggml and read by `gguf.cpp` of ggml 0.26.
//!
//! [`Gguf::parse`] checks the container: everything that holds for any GGUF file. Whether a file makes a model or a
//! tokenizer is a second question, asked by [`Gguf::model`] and [`Gguf::vocabulary`]: they mirror what llama.cpp
//! asserts, and so would abort on, once it knows the architecture. [`Files`] are both for files on the disk.

mod adapter;
mod architecture;
mod chats;
mod file;
mod folder;
mod header;
mod heads;
mod hyper;
mod indexers;
mod info;
mod keys;
mod layers;
mod limits;
mod needs;
mod rules;
mod split;
mod state;
mod tensor;
mod tokenizer;
mod types;
mod value;
mod weights;
mod windows;

use std::collections::HashMap;

pub use adapter::check_adapter;
pub use file::{Files, Head};
pub use tensor::Tensor;
pub use tokenizer::{Algorithm, Pre, Rule, Special, Strips, TokenType, Vocabulary, byte_of, unescape};
pub use types::TensorType;
pub use value::{Array, Value, ValueType};

pub(crate) use file::{grown, vocabulary};
pub(crate) use folder::in_folder;

use crate::Result;
use crate::cursor::Cursor;

/// The header of a GGUF file, found sound. It borrows the bytes that were parsed.
#[derive(Debug)]
pub struct Gguf<'a> {
    version: u32,
    keys: HashMap<&'a str, Value<'a>>,
    tensors: Vec<Tensor<'a>>,
    alignment: u32,
    data_offset: u64,
    file_size: u64,
}

impl<'a> Gguf<'a> {
    /// Reads the header of a file of `file_size` bytes from `bytes`, the file's beginning.
    ///
    /// # Errors
    /// [`Incomplete`](crate::Error::Incomplete) if the header is longer than `bytes` and the file is not; any other
    /// error says what is wrong with the file.
    pub fn parse(bytes: &'a [u8], file_size: u64) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, file_size);
        let header::Header { version, tensors, keys } = header::read(&mut cursor, bytes)?;
        let keys = header::keys(&mut cursor, keys)?;
        let alignment = header::alignment(&keys)?;
        let tensors = tensor::read(&mut cursor, tensors)?;
        let data_offset = tensor::lay_out(&tensors, cursor.offset(), alignment, file_size)?;
        Ok(Self { version, keys, tensors, alignment, data_offset, file_size })
    }

    /// Version of the format: 2 or 3. They differ in nothing that is read here.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.keys.get(key)
    }

    /// All keys and values, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.keys.iter().map(|(key, value)| (*key, value))
    }

    /// The tensors, in the order of their data.
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// Bytes that the data of each tensor is aligned to.
    pub fn alignment(&self) -> u32 {
        self.alignment
    }

    /// Where the data begins, in bytes from the start of the file.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// Bytes behind the last tensor, which nothing refers to.
    pub(crate) fn trailing(&self) -> u64 {
        let end = self.tensors.last().map_or(self.data_offset, |last| self.data_offset + last.offset + last.bytes);
        self.file_size.saturating_sub(end)
    }
}
