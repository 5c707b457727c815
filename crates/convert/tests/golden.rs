//! Every family: the small models whose logits transformers computed, with a vocabulary put beside them.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{add_key, add_tensor, keys_of_gguf, run, tensors_of_folder};
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

/// What the conversion of a case to GGUF says, with `config.json` changed so and a tensor more.
fn refused(case: &str, changes: &Value, tensor: Option<(&str, &[u64])>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let [source, file] = ["source", "model.gguf"].map(|name| folder.path().join(name));
    copy(case, &source, |config| {
        // The scale that GGUF implies.
        if config.get("query_pre_attn_scalar").is_some() {
            config["query_pre_attn_scalar"] = config["head_dim"].clone();
        }
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    });
    if let Some((name, shape)) = tensor {
        add_tensor(&source.join("model.safetensors"), name, shape);
    }
    let error = run(&source, &file, Target::Gguf, Dtype::F32).unwrap_err().to_string();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left of {case}");
    error
}

/// Each of these was refused by llama.cpp once it was a file, or computed as another model.
#[test]
fn what_llama_cpp_would_not_run_is_an_error() {
    let none = json!({});
    let query = "model.layers.0.self_attn.q_proj.bias";
    let output = "model.layers.0.self_attn.o_proj.bias";
    let [width, rows] = ["hidden_size", "vocab_size"].map(|key| {
        let config = fs::read(golden().join("gemma2/config.json")).unwrap();
        serde_json::from_slice::<Value>(&config).unwrap()[key].as_u64().unwrap()
    });
    for (case, changes, tensor, expected) in [
        ("llama", json!({ "hidden_act": "gelu" }), None, "the activation is gelu, expected silu"),
        ("qwen3", json!({ "hidden_act": "gelu_new" }), None, "is gelu_pytorch_tanh, expected silu"),
        ("granite", json!({ "hidden_act": "gelu" }), None, "expected silu"),
        ("phi3", json!({ "hidden_act": "gelu" }), None, "expected silu"),
        ("gemma2", json!({ "hidden_activation": "gelu" }), None, "is gelu, expected gelu_pytorch_tanh"),
        ("gemma3-text", json!({ "hidden_activation": "silu" }), None, "expected gelu_pytorch_tanh"),
        ("gemma2", json!({ "attn_logit_softcapping": null }), None, "attn_logit_softcapping is null"),
        ("gemma2", json!({ "final_logit_softcapping": null }), None, "final_logit_softcapping is null"),
        (
            "gemma2",
            json!({ "tie_word_embeddings": false }),
            Some(("lm_head.weight", &[rows, width][..])),
            "the output matrix",
        ),
        ("qwen2", json!({ "head_dim": 64 }), None, "the size of a head is 64"),
        ("phi3", json!({ "head_dim": 64 }), None, "the size of a head is 64"),
        ("qwen3", json!({ "attention_bias": true }), None, "attention_bias is true"),
        ("smollm3", json!({ "attention_bias": true, "no_rope_layers": [1, 1, 1, 0] }), None, "attention_bias is true"),
        ("smollm3", json!({ "mlp_bias": true, "no_rope_layers": [1, 1, 1, 0] }), None, "mlp_bias is true"),
        ("gemma3-text", json!({ "attention_bias": true }), None, "attention_bias is true"),
        // A bias that transformers leaves alone and llama.cpp adds, and one that llama.cpp has no place for.
        ("mistral", none.clone(), Some((query, &[4][..])), query),
        ("qwen2", none.clone(), Some((output, &[4][..])), output),
        ("llama", json!({ "attention_bias": true }), None, "self_attn.k_proj.bias is missing"),
        ("llama", json!({ "intermediate_size": 8 }), None, "the shape of model.layers.0.mlp."),
        ("llama", json!({ "num_hidden_layers": 1 }), None, "the tensor model.layers.1."),
        ("llama", json!({ "num_hidden_layers": 9 }), None, "model.layers.2.self_attn.k_proj.weight is missing"),
    ] {
        let error = refused(case, &changes, tensor);
        assert!(error.contains(expected), "{case} with {changes}: {error}");
    }
    let slides = json!({ "rope_type": "linear", "rope_theta": 300.0, "factor": 4.0 });
    let all = json!({ "rope_type": "default", "rope_theta": 5000.0 });
    let changes = json!({ "rope_parameters": { "full_attention": all, "sliding_attention": slides } });
    let error = refused("gemma3-text", &changes, None);
    assert!(error.contains("layers with a window"), "{error}");
}

#[test]
fn gemma_2_without_windows_sees_all_of_its_context() {
    let folder = tempfile::tempdir().unwrap();
    let [source, file, back] = ["source", "model.gguf", "back"].map(|name| folder.path().join(name));
    copy("gemma2", &source, |config| {
        config["query_pre_attn_scalar"] = config["head_dim"].clone();
        config["layer_types"] = json!(["full_attention", "full_attention", "full_attention"]);
    });
    run(&source, &file, Target::Gguf, Dtype::F32).unwrap();
    // llama.cpp takes 4096 where a file says none, and makes no context where no layer has one.
    let context = decoder(&source).context;
    let keys = keys_of_gguf(&file);
    assert_eq!(keys.get("gemma2.attention.sliding_window"), Some(&format!("U32({context})")));
    assert!(!keys.contains_key("gemma2.attention.sliding_window_pattern"));
    run(&file, &back, Target::Safetensors, Dtype::F32).unwrap();
    let windows: Vec<_> = decoder(&back).layers.iter().map(|layer| layer.window).collect();
    assert_eq!(windows, [Some(context), None, Some(context)]);
}

/// Keys of GGUF files that transformers has no words for, or that it would follow where llama.cpp does not.
#[test]
fn what_a_folder_cannot_say_is_an_error_or_a_note() {
    const F32: u32 = 6;
    const BOOL: u32 = 7;
    const TEXT: u32 = 8;
    let yarn = [&4u64.to_le_bytes()[..], b"yarn"].concat();
    let half = 0.5f32.to_le_bytes();
    let cases: [(&str, &str, u32, &[u8]); 7] = [
        ("llama", "llama.attention.causal", BOOL, &[0]),
        ("qwen2", "qwen2.attention.causal", BOOL, &[0]),
        ("phi3", "phi3.rope.scaling.type", TEXT, &yarn),
        ("phi3", "phi3.rope.scaling.attn_factor", F32, &half),
        ("llama-linear", "llama.rope.scaling.attn_factor", F32, &half),
        ("granite", "granite.rope.scaling.finetuned", BOOL, &[0]),
        ("gemma2", "gemma2.rope.freq_base_swa", F32, &half),
    ];
    for (case, key, kind, value) in cases {
        let folder = tempfile::tempdir().unwrap();
        let [source, file, back] = ["source", "model.gguf", "back"].map(|name| folder.path().join(name));
        copy(case, &source, |config| {
            if config.get("query_pre_attn_scalar").is_some() {
                config["query_pre_attn_scalar"] = config["head_dim"].clone();
            }
        });
        run(&source, &file, Target::Gguf, Dtype::F32).unwrap();
        add_key(&file, key, kind, value);
        if kind == TEXT {
            add_key(&file, "phi3.rope.scaling.factor", F32, &4f32.to_le_bytes());
        }
        let error = run(&file, &back, Target::Safetensors, Dtype::F32).unwrap_err().to_string();
        assert!(error.contains(if kind == TEXT { "yarn" } else { key }), "{key}: {error}");
        assert!(!back.exists());
    }

    let folder = tempfile::tempdir().unwrap();
    let [source, file, back] = ["source", "model.gguf", "back"].map(|name| folder.path().join(name));
    copy("phi3", &source, |_| {});
    run(&source, &file, Target::Gguf, Dtype::F32).unwrap();
    let notes = run(&file, &back, Target::Safetensors, Dtype::F32).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("window of 17")), "{notes:?}");
}
