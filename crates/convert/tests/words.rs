//! What templates know tokens by, and what llama.cpp knows models by.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{keys_of_gguf, run};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenizers::Tokenizer as Library;
use trillm_convert::{Dtype, Target};
use trillm_core::{Token, Tokenizer as _};
use trillm_formats::gguf::Files;
use trillm_formats::inspect;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;
use trillm_tokenizer::GgufTokenizer;

/// A tiny Llama, whose vocabulary is SentencePiece's, in a folder of this name.
fn model(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    TinyLlama::default().write_huggingface(&path, TensorType::F32).unwrap();
    (folder, path)
}

fn put(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), value.to_string()).unwrap();
}

fn change(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
    change(&mut value);
    put(folder, name, &value);
}

fn names(path: &Path) -> BTreeMap<String, String> {
    inspect(path).unwrap().special_tokens
}

#[test]
fn tokens_that_any_file_names_keep_their_names() {
    let (folder, model) = model("model");
    let [file, back] = ["model.gguf", "back"].map(|name| folder.path().join(name));
    change(&model, "tokenizer_config.json", |config| config["sep_token"] = json!({ "content": "<unk>" }));
    // The older file, which counts as nothing lists tokens by their ids.
    put(&model, "special_tokens_map.json", &json!({ "pad_token": "</s>", "cls_token": "<s>", "mask_token": "<unk>" }));
    run(&model, &file, Target::Gguf, Dtype::F32).unwrap();
    // The keys of `SpecialVocab.add_to_gguf` of llama.cpp's converter.
    let keys = keys_of_gguf(&file);
    for (key, id) in [("seperator", 0), ("padding", 2), ("cls", 1), ("mask", 0)] {
        assert_eq!(keys.get(&format!("tokenizer.ggml.{key}_token_id")), Some(&format!("U32({id})")), "{key}");
    }
    run(&file, &back, Target::Safetensors, Dtype::F32).unwrap();
    assert_eq!(names(&model).len(), 7);
    assert_eq!((names(&file), names(&back)), (names(&model), names(&model)));
}

#[test]
fn a_name_that_is_null_stays_so() {
    let (folder, model) = model("model");
    let [file, back] = ["model.gguf", "back"].map(|name| folder.path().join(name));
    change(&model, "tokenizer_config.json", |config| {
        (config["bos_token"], config["eos_token"]) = (Value::Null, Value::Null);
    });
    change(&model, "tokenizer.json", |file| file["post_processor"] = Value::Null);
    put(&model, "generation_config.json", &json!({ "bos_token_id": 1, "eos_token_id": 2 }));
    run(&model, &file, Target::Gguf, Dtype::F32).unwrap();
    run(&file, &back, Target::Safetensors, Dtype::F32).unwrap();
    // transformers 5.24 renders nothing for them, whatever numbers other files have.
    for path in [&model, &file, &back] {
        let names = names(path);
        assert!(!names.contains_key("bos_token") && !names.contains_key("eos_token"), "{names:?}");
    }
    // Answers end as they did.
    let keys = keys_of_gguf(&file);
    assert_eq!(keys.get("tokenizer.ggml.eot_token_id").map(String::as_str), Some("U32(2)"));
    Files::open(&file).unwrap();
}

#[test]
fn a_class_names_tokens_in_a_file_too() {
    let (folder, model) = model("model");
    let file = folder.path().join("model.gguf");
    put(&model, "tokenizer_config.json", &json!({ "tokenizer_class": "LlamaTokenizerFast" }));
    change(&model, "config.json", |config| config["eos_token_id"] = 2.into());
    run(&model, &file, Target::Gguf, Dtype::F32).unwrap();
    let expected = [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")];
    assert_eq!(names(&file), expected.map(|(name, text)| (name.into(), text.into())).into());
}

#[test]
fn a_name_that_llama_cpp_takes_for_a_rule_is_left_out() {
    for (name, kept) in [("my-phi3-clone", false), ("Phi-3-mini", false), ("a-modern-bert", false), ("phi-4", true)] {
        let (folder, model) = model(name);
        change(&model, "config.json", |config| {
            config.as_object_mut().unwrap().remove("_name_or_path");
        });
        let file = folder.path().join("file.gguf");
        let notes = run(&model, &file, Target::Gguf, Dtype::F32).unwrap().notes;
        assert_eq!(keys_of_gguf(&file).contains_key("general.name"), kept, "{name}");
        assert_eq!(notes.iter().any(|note| note.contains("name") && note.contains("left out")), !kept, "{notes:?}");
        Files::open(&file).unwrap();
    }
}

/// SentencePiece's, with a token of a user's own, and tokens that only merging across spaces makes. Its `tokenizer.json`
/// says nothing of spaces before a text.
fn words() -> Value {
    let bytes: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
    let pieces = ["▁", "t", "h", "e", "o", "l", "x", "y", "<", ">", "th", "the", "▁the", "▁▁", "<tool>"];
    let texts = ["<unk>", "<s>", "</s>"].into_iter().chain(bytes.iter().map(String::as_str)).chain(pieces);
    let vocab: serde_json::Map<String, Value> = texts.zip(0..).map(|(text, id)| (text.into(), json!(id))).collect();
    let added = |text: &str, special: bool| {
        json!({
            "id": vocab[text], "content": text, "special": special, "normalized": false, "single_word": false,
            "lstrip": false, "rstrip": false,
        })
    };
    json!({
        "version": "1.0",
        "added_tokens": [added("<unk>", true), added("<s>", true), added("</s>", true), added("<tool>", false)],
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": null,
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab,
            "merges": [["t", "h"], ["th", "e"], ["▁", "the"], ["▁", "▁"]],
        },
    })
}

/// The texts of which the file that `file` becomes has other tokens than the library `tokenizers` makes by it, and the
/// notes of the conversion.
fn differing(name: &str, file: &Value) -> (Vec<&'static str>, Vec<String>) {
    const TEXTS: [&str; 9] =
        ["the", " the", "x  the", "x<tool>y", "x <tool> y", "the</s>the", "the</s> the", "x </s> the", "  "];
    let (folder, model) = model(name);
    put(&model, "tokenizer.json", file);
    let path = folder.path().join("file.gguf");
    let notes = run(&model, &path, Target::Gguf, Dtype::F32).unwrap().notes;
    let ours = GgufTokenizer::of(&Files::open(&path).unwrap().heads[0]).unwrap();
    let library: Library = file.to_string().parse().unwrap();
    let differs = |text: &&str| {
        let mut found = Vec::new();
        ours.encode(text, false, true, &mut found).unwrap();
        let expected = library.encode(*text, false).unwrap();
        found != expected.get_ids().iter().copied().map(Token).collect::<Vec<_>>()
    };
    (TEXTS.into_iter().filter(differs).collect(), notes)
}

#[test]
fn what_becomes_other_tokens_is_said() {
    type Change<'c> = &'c dyn Fn(&mut Value);
    let metaspace = |scheme: &str, split: bool| json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split });
    let prepend = |file: &mut Value| {
        let replace = file["normalizer"].take();
        file["normalizer"] =
            json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, replace] });
    };
    let cases: &[(Change<'_>, &[&str])] = &[
        (&|_| {}, &[]),
        (&prepend, &[]),
        (&|file| file["pre_tokenizer"] = metaspace("never", false), &[]),
        (&|file| file["pre_tokenizer"] = metaspace("never", true), &["split"]),
        (&|file| file["pre_tokenizer"] = metaspace("first", false), &["prepend_scheme first"]),
        (&|file| file["pre_tokenizer"] = metaspace("always", false), &["prepend_scheme always"]),
        (&|file| file["pre_tokenizer"] = metaspace("always", true), &["prepend_scheme always", "split"]),
        // Nothing is left for the second of two that do the same.
        (
            &|file| {
                prepend(file);
                file["pre_tokenizer"] = metaspace("first", false);
            },
            &[],
        ),
        (&|file| file["added_tokens"][3]["lstrip"] = true.into(), &["lstrip"]),
        (&|file| file["added_tokens"][2]["rstrip"] = true.into(), &["rstrip"]),
        (&|file| file["added_tokens"][3]["single_word"] = true.into(), &["single_word"]),
        (&|file| file["added_tokens"][3]["normalized"] = true.into(), &[]),
        (
            &|file| {
                prepend(file);
                file["added_tokens"][3]["normalized"] = true.into();
            },
            &["normalized"],
        ),
    ];
    for (change, expected) in cases {
        let mut file = words();
        change(&mut file);
        let (texts, notes) = differing("model", &file);
        let said: Vec<&String> = notes.iter().filter(|note| note.starts_with("llama.cpp")).collect();
        let counts = (texts.is_empty(), said.len());
        assert_eq!(counts, (expected.is_empty(), expected.len()), "{expected:?}: {texts:?} {notes:?}");
        for (note, word) in said.iter().zip(*expected) {
            assert!(note.contains(word), "{word}: {note}");
        }
    }
}
