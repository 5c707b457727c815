//! The model files are what they claim to be, and the same everywhere.

use std::fs;

use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::models::{Kind, Shape, Tensor, vocabulary};
use trillm_testkit::{RandomModel, TinyLlama, shared_data};

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_tiny_model_is_the_same_on_every_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    let tiny = TinyLlama::default();
    tiny.write_gguf(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = tiny.gguf().header().len().next_multiple_of(32);
    assert_eq!(bytes.len(), header + 4 * tiny.shape.parameters() as usize);
    assert_eq!(bytes.len(), tiny.gguf().bytes().len());
    assert_eq!(digest(&bytes), 0xd035_6304_d5d0_8f75, "{:#x}", digest(&bytes));

    TinyLlama { seed: 2, ..tiny }.write_gguf(&path).unwrap();
    assert_ne!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn weights_do_not_depend_on_what_else_is_written() {
    let shape = TinyLlama::default().shape;
    let deeper = Shape { layers: 5, ..shape };
    let find = |tensors: Vec<Tensor>| tensors[5].weights(1);
    assert_eq!(find(shape.tensors()), find(deeper.tensors()));
    assert_eq!(shape.parameters(), 112_448);
}

#[test]
fn random_models_of_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    let shape = TinyLlama::default().shape;
    let weights = shape.parameters() - u64::from(shape.width * (2 * shape.layers + 1));
    let norms = 4 * u64::from(shape.width * (2 * shape.layers + 1));
    for kind in [TensorType::F32, TensorType::F16, TensorType::Bf16, TensorType::Q8_0] {
        RandomModel { kind, shape, seed: 1 }.write_gguf(&path).unwrap();
        let bytes = fs::metadata(&path).unwrap().len();
        let header = TinyLlama::default().gguf().header().len() as u64;
        assert!(bytes.abs_diff(header + norms + kind.bytes(weights)) < 64, "{kind:?}: {bytes}");
    }
}

#[test]
fn the_vocabulary_has_every_byte_and_no_piece_twice() {
    let pieces = vocabulary(1000);
    assert_eq!(pieces.iter().filter(|piece| piece.kind == Kind::Byte).count(), 256);
    let mut texts: Vec<_> = pieces.iter().map(|piece| &piece.text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 1000);
}

#[test]
fn shared_data_is_a_folder_or_absent() {
    assert!(shared_data().is_none_or(|data| data.is_dir()));
}
