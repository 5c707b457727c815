//! A model as Hugging Face has it is the model of the GGUF file of the same seed.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use trillm_testkit::models::{Part, gguf::TensorType};
use trillm_testkit::{RandomModel, TinyLlama};

/// What a safetensors file holds: of each tensor its type, shape and data.
fn safetensors(path: &Path) -> HashMap<String, (String, Vec<u64>, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!(end % 8, 0);
    let header: HashMap<String, Value> = serde_json::from_slice(&bytes[8..end]).unwrap();
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut tensors = HashMap::new();
    for (name, entry) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let range = end + number(&entry["data_offsets"][0])..end + number(&entry["data_offsets"][1]);
        let shape = entry["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
        tensors.insert(name, (entry["dtype"].as_str().unwrap().to_owned(), shape, bytes[range].to_vec()));
    }
    let data: usize = tensors.values().map(|(_, _, data)| data.len()).sum();
    assert_eq!(end + data, bytes.len());
    tensors
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn the_weights_are_those_of_the_gguf_file() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = TinyLlama::default();
    tiny.write_huggingface(folder.path(), TensorType::F32).unwrap();
    let files = safetensors(&folder.path().join("model.safetensors"));
    let tensors = tiny.shape.tensors();
    assert_eq!(files.len(), tensors.len());
    let find = |part, layer| tensors.iter().find(|tensor| tensor.part == part && tensor.layer == layer).unwrap();

    let (element, shape, data) = &files["model.layers.1.mlp.down_proj.weight"];
    assert_eq!((element.as_str(), shape.as_slice()), ("F32", &[64, 128][..]));
    assert_eq!(floats(data), find(Part::Down, Some(1)).weights(tiny.seed));
    assert_eq!(floats(&files["model.norm.weight"].2), find(Part::OutputNorm, None).weights(tiny.seed));
    assert_eq!(floats(&files["lm_head.weight"].2), find(Part::Output, None).weights(tiny.seed));

    // Two key heads of 16 rows of 64: the even rows of a head first.
    let (ours, theirs) =
        (find(Part::Key, Some(0)).weights(tiny.seed), floats(&files["model.layers.0.self_attn.k_proj.weight"].2));
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.chunks(64).collect(), theirs.chunks(64).collect());
    for (from, to) in [(0, 0), (2, 1), (14, 7), (1, 8), (15, 15), (16, 16), (17, 24)] {
        assert_eq!(ours[from], theirs[to], "row {from}");
    }
}

#[test]
fn shorter_floats_are_the_same_numbers_rounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let tiny = TinyLlama::default();
    tiny.write_huggingface(folder.path(), TensorType::F32).unwrap();
    let exact = floats(&safetensors(&path)["model.embed_tokens.weight"].2);
    tiny.write_huggingface(folder.path(), TensorType::Bf16).unwrap();
    let (element, _, data) = safetensors(&path).remove("model.embed_tokens.weight").unwrap();
    assert_eq!(element, "BF16");
    for (bytes, exact) in data.chunks(2).zip(exact) {
        let rounded = f32::from_bits(u32::from(u16::from_le_bytes(bytes.try_into().unwrap())) << 16);
        assert!((rounded - exact).abs() <= exact.abs() / 256.0, "{rounded} for {exact}");
    }
}

#[test]
fn a_random_model_has_the_weights_of_its_gguf_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = RandomModel { shape: TinyLlama::default().shape, kind: TensorType::Bf16, seed: 3 };
    model.write_huggingface(folder.path()).unwrap();
    model.write_gguf(&folder.path().join("model.gguf")).unwrap();
    let gguf = fs::read(folder.path().join("model.gguf")).unwrap();
    // The output matrix is the last tensor of both, and is not reordered.
    let (_, _, output) = safetensors(&folder.path().join("model.safetensors")).remove("lm_head.weight").unwrap();
    assert!(gguf.ends_with(&output));

    let q8_0 = RandomModel { kind: TensorType::Q8_0, ..model };
    assert_eq!(q8_0.write_huggingface(folder.path()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn the_small_files_describe_the_model() {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_huggingface(folder.path(), TensorType::F16).unwrap();
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap() };
    let config = read("config.json");
    assert_eq!((&config["num_key_value_heads"], &config["head_dim"]), (&2.into(), &16.into()));
    assert_eq!(config["torch_dtype"], "float16");
    assert_eq!(read("generation_config.json")["eos_token_id"], 2);
    assert_eq!(read("tokenizer_config.json")["chat_template"], trillm_testkit::CHAT_TEMPLATE);
    let tokenizer = read("tokenizer.json");
    assert_eq!(tokenizer["model"]["merges"].as_array().unwrap().len(), 12);
    assert_eq!(tokenizer["model"]["vocab"].as_object().unwrap().len(), 300);
}

#[test]
fn a_pytorch_file_is_a_zip_archive_with_aligned_data() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = TinyLlama::default();
    tiny.write_pytorch(folder.path(), TensorType::F32).unwrap();
    let bytes = fs::read(folder.path().join("pytorch_model.bin")).unwrap();
    let number = |at: usize, size: usize| bytes[at..at + size].iter().rev().fold(0, |n, &b| n << 8 | usize::from(b));
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    let (entries, mut at) = (number(end + 10, 2), number(end + 16, 4));
    assert_eq!(entries, tiny.shape.tensors().len() + 3);
    let mut embedding = None;
    for _ in 0..entries {
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        let (size, name, header) = (number(at + 24, 4), number(at + 28, 2), number(at + 42, 4));
        let name = std::str::from_utf8(&bytes[at + 46..][..name]).unwrap();
        let data = header + 30 + number(header + 26, 2) + number(header + 28, 2);
        assert_eq!(data % 64, 0, "{name}");
        assert_eq!(&bytes[header + 14..header + 26], &bytes[at + 16..at + 28], "{name}");
        if name == "archive/data/0" {
            embedding = Some(floats(&bytes[data..data + size]));
        }
        at += 46 + name.len();
    }
    assert_eq!(at, end);
    assert_eq!(embedding.unwrap(), tiny.shape.tensors()[0].weights(tiny.seed));
}
