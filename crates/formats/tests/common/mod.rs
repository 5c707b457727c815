//! Writes small GGUF files in memory, whole ones and broken ones.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use trillm_core::{Coded, ModelInfo};
use trillm_formats::{Error, Gguf};

/// A metadata value to write.
#[derive(Clone)]
pub enum V {
    U8(u8),
    U16(u16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(u8),
    Str(String),
    U64(u64),
    Strs(Vec<Vec<u8>>),
    U8s(Vec<u8>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    /// A type and the bytes behind it, as they are.
    Raw(u32, Vec<u8>),
}

pub fn text(text: &str) -> V {
    V::Str(text.into())
}

pub fn texts(texts: &[&str]) -> V {
    V::Strs(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

pub struct T {
    pub name: Vec<u8>,
    pub dims: Vec<u64>,
    pub kind: u32,
    /// Bytes of data.
    pub len: u64,
    /// Where the data is said to be; right behind the tensor before if `None`.
    pub offset: Option<u64>,
}

pub struct Writer {
    pub magic: [u8; 4],
    pub version: u32,
    pub keys: Vec<(Vec<u8>, V)>,
    pub tensors: Vec<T>,
    pub alignment: u64,
    /// Counts to write in place of the true ones: tensors, keys.
    pub counts: (Option<u64>, Option<u64>),
}

/// Words of a small SentencePiece vocabulary: three tokens with a part to play, then all bytes.
pub fn words() -> Vec<Vec<u8>> {
    let special = ["<unk>", "<s>", "</s>"].map(|word| word.as_bytes().to_vec());
    special.into_iter().chain((0..=255).map(|byte| format!("<0x{byte:02X}>").into_bytes())).collect()
}

/// The types of those words.
pub fn types() -> Vec<i32> {
    [2, 3, 3].into_iter().chain([6; 256]).collect()
}

impl Writer {
    pub fn empty() -> Self {
        Self { magic: *b"GGUF", version: 3, keys: vec![], tensors: vec![], alignment: 32, counts: (None, None) }
    }

    /// A vocabulary without weights.
    pub fn vocabulary() -> Self {
        Self::empty()
            .key("general.architecture", text("llama"))
            .key("tokenizer.ggml.model", text("llama"))
            .key("tokenizer.ggml.tokens", V::Strs(words()))
            .key("tokenizer.ggml.scores", V::F32s(vec![0.0; 259]))
            .key("tokenizer.ggml.token_type", V::I32s(types()))
    }

    /// A Llama of one layer that llama.cpp would load.
    pub fn model() -> Self {
        Self::vocabulary()
            .key("general.name", text("tiny"))
            .key("general.file_type", V::U32(0))
            .key("llama.context_length", V::U32(32))
            .key("llama.embedding_length", V::U32(8))
            .key("llama.block_count", V::U32(1))
            .key("llama.feed_forward_length", V::U32(16))
            .key("llama.attention.head_count", V::U32(2))
            .key("llama.attention.head_count_kv", V::U32(1))
            .key("llama.attention.layer_norm_rms_epsilon", V::F32(1e-5))
            .key("llama.rope.dimension_count", V::U32(4))
            .tensor("token_embd.weight", &[8, 259], 0)
            .tensor("output_norm.weight", &[8], 0)
            .tensor("blk.0.attn_norm.weight", &[8], 0)
            .tensor("blk.0.attn_q.weight", &[8, 8], 0)
            .tensor("blk.0.attn_k.weight", &[8, 4], 0)
            .tensor("blk.0.attn_v.weight", &[8, 4], 0)
            .tensor("blk.0.attn_output.weight", &[8, 8], 0)
            .tensor("blk.0.ffn_norm.weight", &[8], 0)
            .tensor("blk.0.ffn_gate.weight", &[8, 16], 0)
            .tensor("blk.0.ffn_up.weight", &[8, 16], 0)
            .tensor("blk.0.ffn_down.weight", &[16, 8], 0)
    }

    /// Sets a key, in its old place if it had one.
    pub fn key(mut self, name: &str, value: V) -> Self {
        match self.keys.iter_mut().find(|(key, _)| key == name.as_bytes()) {
            Some((_, old)) => *old = value,
            None => self.keys.push((name.into(), value)),
        }
        self
    }

    /// Adds a key, whether or not it is there.
    pub fn more(mut self, name: &[u8], value: V) -> Self {
        self.keys.push((name.to_vec(), value));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.keys.retain(|(key, _)| key != name.as_bytes());
        self
    }

    /// Adds a tensor of F32 (0) or F16 (1), or of another type with as many bytes as F32 takes.
    pub fn tensor(mut self, name: &str, dims: &[u64], kind: u32) -> Self {
        let elements: u64 = dims.iter().fold(1, |product: u64, dim| product.wrapping_mul(*dim)) % (1 << 24);
        let len = elements * if kind == 1 { 2 } else { 4 };
        self.tensors.push(T { name: name.into(), dims: dims.into(), kind, len, offset: None });
        self
    }

    /// Changes one tensor.
    pub fn change(mut self, name: &str, change: impl FnOnce(&mut T)) -> Self {
        change(self.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes()).expect("a tensor"));
        self
    }

    pub fn drop_tensor(mut self, name: &str) -> Self {
        self.tensors.retain(|tensor| tensor.name != name.as_bytes());
        self
    }

    pub fn set(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.counts.0.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.counts.1.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            string(&mut out, key);
            write(&mut out, value);
        }
        let mut next = 0;
        for tensor in &self.tensors {
            string(&mut out, &tensor.name);
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            out.extend(tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(next).to_le_bytes());
            next = tensor.offset.unwrap_or(next).wrapping_add(tensor.len).next_multiple_of(self.alignment);
        }
        out
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.resize((out.len() as u64).next_multiple_of(self.alignment) as usize, 0);
            out.resize(out.len() + tensor.len as usize, 0);
        }
        out
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn write(out: &mut Vec<u8>, value: &V) {
    let mut plain = |kind: u32, bytes: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        V::U8(value) => plain(0, &value.to_le_bytes()),
        V::U16(value) => plain(2, &value.to_le_bytes()),
        V::U32(value) => plain(4, &value.to_le_bytes()),
        V::I32(value) => plain(5, &value.to_le_bytes()),
        V::F32(value) => plain(6, &value.to_le_bytes()),
        V::Bool(value) => plain(7, &[*value]),
        V::U64(value) => plain(10, &value.to_le_bytes()),
        V::Raw(kind, bytes) => plain(*kind, bytes),
        V::Str(value) => {
            plain(8, &[]);
            string(out, value.as_bytes());
        }
        V::Strs(values) => {
            array(out, 8, values.len());
            for value in values {
                string(out, value);
            }
        }
        V::U8s(values) => {
            array(out, 0, values.len());
            out.extend(values);
        }
        V::U32s(values) => {
            array(out, 4, values.len());
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        V::I32s(values) => {
            array(out, 5, values.len());
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        V::F32s(values) => {
            array(out, 6, values.len());
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

fn array(out: &mut Vec<u8>, kind: u32, len: usize) {
    out.extend(9u32.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend((len as u64).to_le_bytes());
}

/// What `inspect` does, of a file in memory.
pub fn model(bytes: &[u8]) -> Result<ModelInfo, Error> {
    Gguf::parse(bytes, bytes.len() as u64)?.model()
}

/// What `inspect_vocabulary` does, of a file in memory.
pub fn vocabulary(bytes: &[u8]) -> Result<ModelInfo, Error> {
    Gguf::parse(bytes, bytes.len() as u64)?.vocabulary()
}

/// Asserts that a file is refused at once, with this code and these words in the message.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(check: impl FnOnce() -> Result<T, Error>, code: &str, words: &str) {
    let start = Instant::now();
    let error = check().expect_err("refused");
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    assert!(message.contains(words), "{message:?} without {words:?}");
    assert!(message.len() < 500, "{message}");
}

pub use trillm_testkit::shared_data as shared;

/// A folder of the shared data; `None`, and a line that says so, if it is not there.
pub fn shared_folder(name: &str) -> Option<PathBuf> {
    shared().map(|data| data.join(name)).filter(|folder| folder.is_dir())
}

/// A folder for one test, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trillm-formats-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        // Some file systems wait for the disk when a file is written over, and tests do that ten thousand times.
        drop(std::fs::remove_file(&path));
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A test for each file that must be refused: its name, how it differs from a good one, the code, words of the message.
#[macro_export]
macro_rules! refused {
    ($check:path; $($name:ident: $writer:expr => $code:literal, $words:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let bytes = $writer.bytes();
                $crate::common::refused(|| $check(&bytes), $code, $words);
            }
        )*
    };
}
