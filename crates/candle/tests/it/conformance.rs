//! The suite that every engine passes, on a tiny model made from a seed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use trillm_candle::Candle;
use trillm_core::{LoadOptions, Model, Quantize};
use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::{TinyLlama, conformance};

use crate::common::load;

/// A folder of this name, written once for all tests of this process.
fn folder(path: &OnceLock<PathBuf>, name: &str, write: impl FnOnce(&PathBuf)) -> PathBuf {
    let write = || {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        write(&folder);
        folder
    };
    path.get_or_init(write).clone()
}

fn safetensors() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    folder(&PATH, "conformance-bf16", |folder| {
        TinyLlama::default().write_huggingface(folder, TensorType::Bf16).expect("the model is written");
    })
}

fn bf16() -> Arc<dyn Model> {
    load(&safetensors(), &LoadOptions::default()).expect("the model loads")
}

fn quantized() -> Arc<dyn Model> {
    let options = LoadOptions { quantize: Some(Quantize::Q8_0), ..LoadOptions::default() };
    load(&safetensors(), &options).expect("the model loads")
}

fn pytorch_f32() -> Arc<dyn Model> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let folder = folder(&PATH, "conformance-pytorch", |folder| {
        TinyLlama::default().write_pytorch(folder, TensorType::F32).expect("the model is written");
    });
    load(&folder, &LoadOptions::default()).expect("the model loads")
}

fn pytorch_f16_read() -> Arc<dyn Model> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let folder = folder(&PATH, "conformance-pytorch-f16", |folder| {
        TinyLlama::default().write_pytorch(folder, TensorType::F16).expect("the model is written");
    });
    load(&folder, &LoadOptions { mmap: false, ..LoadOptions::default() }).expect("the model loads")
}

conformance!(safetensors_bf16, bf16);
conformance!(safetensors_quantized, quantized);
conformance!(checkpoint_f32, pytorch_f32);
conformance!(checkpoint_f16_read, pytorch_f16_read);

#[test]
fn loading_can_be_cancelled() {
    let path = safetensors();
    let open = || trillm_formats::open(&path).expect("a sound model");
    trillm_testkit::conformance::cancels_loading(&Candle, open);
}
