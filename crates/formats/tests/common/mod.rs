//! Small GGUF files in memory, and what is asked of files that are refused.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use trillm_core::{Coded, ModelInfo};
use trillm_formats::{Error, Gguf};
use trillm_testkit::models::gguf::TensorType::F32;
pub use trillm_testkit::models::gguf::{Gguf as Writer, Value};

/// Words of a small SentencePiece vocabulary: three tokens with a part to play, then all bytes.
pub fn words() -> Vec<Vec<u8>> {
    let special = ["<unk>", "<s>", "</s>"].map(|word| word.as_bytes().to_vec());
    special.into_iter().chain((0..=255).map(|byte| format!("<0x{byte:02X}>").into_bytes())).collect()
}

/// Words as a value.
pub fn array(words: &[Vec<u8>]) -> Value {
    Value::array(words.iter().map(Vec::as_slice))
}

/// A vocabulary without weights.
pub fn words_only() -> Writer {
    Writer::default().key("general.architecture", "llama").tokenizer(&[
        ("model", "llama".into()),
        ("tokens", array(&words())),
        ("scores", Value::array([0f32; 259])),
        ("token_type", Value::array([2, 3, 3].into_iter().chain([6; 256]))),
    ])
}

/// A Llama of one layer that llama.cpp would load.
pub fn tiny() -> Writer {
    words_only()
        .key("general.name", "tiny")
        .key("general.file_type", 0u32)
        .key("llama.context_length", 32u32)
        .key("llama.embedding_length", 8u32)
        .key("llama.block_count", 1u32)
        .key("llama.feed_forward_length", 16u32)
        .key("llama.attention.head_count", 2u32)
        .key("llama.attention.head_count_kv", 1u32)
        .key("llama.attention.layer_norm_rms_epsilon", 1e-5f32)
        .key("llama.rope.dimension_count", 4u32)
        .tensor("token_embd.weight", &[8, 259], F32)
        .tensor("output_norm.weight", &[8], F32)
        .tensor("blk.0.attn_norm.weight", &[8], F32)
        .tensor("blk.0.attn_q.weight", &[8, 8], F32)
        .tensor("blk.0.attn_k.weight", &[8, 4], F32)
        .tensor("blk.0.attn_v.weight", &[8, 4], F32)
        .tensor("blk.0.attn_output.weight", &[8, 8], F32)
        .tensor("blk.0.ffn_norm.weight", &[8], F32)
        .tensor("blk.0.ffn_gate.weight", &[8, 16], F32)
        .tensor("blk.0.ffn_up.weight", &[8, 16], F32)
        .tensor("blk.0.ffn_down.weight", &[16, 8], F32)
}

/// What `inspect` does, of a file in memory.
pub fn model(bytes: &[u8]) -> Result<ModelInfo, Error> {
    Gguf::parse(bytes, bytes.len() as u64)?.model()
}

/// What opening a `TokenizerFile` does, of a file in memory.
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
