//! Every family: the small models whose logits transformers computed, with a vocabulary put beside them.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{run, tensors_of_folder};
use serde_json::{Map, Value, json};
use trillm_convert::{Dtype, Target};
use trillm_core::Layer;
use trillm_formats::Checkpoint;
use trillm_formats::huggingface::{Config, Decoder, Family};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../candle/tests/golden")
}

/// A byte-level vocabulary of as many tokens as the models have rows.
fn tokenizer_json() -> Value {
    let mut vocabulary: Map<String, Value> = Map::new();
    let letters = (33u8..123).map(|letter| char::from(letter).to_string());
    for text in ["<unk>", "<s>", "</s>", "<|endoftext|>"].map(String::from).into_iter().chain(letters) {
        vocabulary.insert(text, vocabulary.len().into());
    }
    vocabulary.insert("ab".into(), vocabulary.len().into());
    let added = [("<unk>", 0), ("<s>", 1), ("</s>", 2), ("<|endoftext|>", 3)];
    let added = added.map(|(text, id)| {
        json!({
            "id": id, "content": text, "special": true, "normalized": false, "single_word": false, "lstrip": false,
            "rstrip": false,
        })
    });
    json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [["a", "b"]] },
    })
}

/// Copies a case, with `change` done to its `config.json`.
fn copy(case: &str, folder: &Path, change: impl FnOnce(&mut Value)) {
    let source = golden().join(case);
    fs::create_dir(folder).unwrap();
    fs::copy(source.join("model.safetensors"), folder.join("model.safetensors")).unwrap();
    let mut config: Value = serde_json::from_slice(&fs::read(source.join("config.json")).unwrap()).unwrap();
    change(if config.get("text_config").is_some() { &mut config["text_config"] } else { &mut config });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer_json().to_string()).unwrap();
}

fn decoder(folder: &Path) -> Decoder {
    match Checkpoint::open(folder).unwrap().config {
        Config::Decoder(decoder) => *decoder,
        Config::Encoder(encoder) => panic!("{encoder:?}"),
    }
}

/// A tensor of bf16 as 32-bit floats.
fn widened(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks().0.iter().flat_map(|&bytes| half::bf16::from_le_bytes(bytes).to_f32().to_le_bytes()).collect()
}

fn without_windows(layers: &[Layer]) -> Vec<Layer> {
    layers.iter().map(|layer| Layer { window: None, ..*layer }).collect()
}

/// There and back in 32 bits; returns the decoders before and after. The tensors must be the same.
fn there_and_back(case: &str, change: impl FnOnce(&mut Value)) -> (Decoder, Decoder) {
    let folder = tempfile::tempdir().unwrap();
    let [source, file, back] = ["source", "model.gguf", "back"].map(|name| folder.path().join(name));
    copy(case, &source, change);
    run(&source, &file, Target::Gguf, Dtype::F32).unwrap();
    let (kept, other) =
        [&source, &file].map(|path| trillm_formats::inspect(path).unwrap().shape.layers.unwrap()).into();
    assert_eq!(without_windows(&kept), without_windows(&other), "{case}");
    // llama.cpp has no windows for the others.
    if case.starts_with("gemma") {
        assert_eq!(kept, other, "{case}");
    }
    run(&file, &back, Target::Safetensors, Dtype::F32).unwrap();

    let (before, after) = (decoder(&source), decoder(&back));
    let plain = |name: &str| name.replace("language_model.model.", "model.").replace("model.language_model.", "model.");
    let mut expected = tensors_of_folder(&source);
    expected.retain(|name, _| !name.contains("vision") && !name.contains("multi_modal"));
    if before.tied {
        expected.remove("lm_head.weight");
    }
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, (shape, bytes))| (plain(&name), (shape, widened(&bytes)))).collect();
    let found = tensors_of_folder(&back);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{case}");
    for (name, tensor) in &found {
        assert!(*tensor == expected[name], "{case}: the tensor {name} differs");
    }
    (before, after)
}

#[test]
fn every_family_survives_the_way_to_gguf_and_back() {
    let cases = [
        "granite",
        "llama",
        "llama-bias",
        "llama-linear",
        "llama-llama3",
        "llama-yarn",
        "phi3",
        "phi3-longrope",
        "qwen2",
        "qwen3",
    ];
    for case in cases {
        let (before, after) = there_and_back(case, |_| {});
        assert_eq!(after, before, "{case}");
    }
}

#[test]
fn gemma_survives_with_the_scale_that_gguf_implies() {
    for case in ["gemma2", "gemma3", "gemma3-text"] {
        let (before, mut after) = there_and_back(case, |config| {
            config["query_pre_attn_scalar"] = config["head_dim"].clone();
        });
        // The text part of a model that also sees goes by another name.
        after.model_type.clone_from(&before.model_type);
        assert_eq!(after, before, "{case}");
    }
}

#[test]
fn mistral_becomes_a_llama_and_windows_are_left_out() {
    let (before, after) = there_and_back("mistral", |_| {});
    assert_eq!((before.family, after.family), (Family::Mistral, Family::Llama));
    assert!(before.layers.iter().any(|layer| layer.window.is_some()));
    assert!(after.layers.iter().all(|layer| layer.window.is_none()));
    let (_, after) = there_and_back("qwen2-sliding", |_| {});
    assert!(after.layers.iter().all(|layer| layer.window.is_none()));

    let folder = tempfile::tempdir().unwrap();
    copy("mistral", &folder.path().join("source"), |_| {});
    let report = run(&folder.path().join("source"), &folder.path().join("file"), Target::Gguf, Dtype::F32).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("sliding window of 13")), "{:?}", report.notes);
}

#[test]
fn smollm3_survives_with_the_layers_that_llama_cpp_rotates() {
    let (before, after) = there_and_back("smollm3", |config| config["no_rope_layers"] = json!([1, 1, 1, 0]));
    assert_eq!(after, before);
    assert!(after.layers[3].rope.is_none());
}

#[test]
fn what_gguf_cannot_say_is_an_error() {
    for (case, word) in [("gemma2", "scale of attention"), ("smollm3", "layers with positions"), ("bert", "encoder")] {
        let folder = tempfile::tempdir().unwrap();
        copy(case, &folder.path().join("source"), |_| {});
        let error = run(&folder.path().join("source"), &folder.path().join("file"), Target::Gguf, Dtype::F32);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word), "{case}: {error}");
    }
}
