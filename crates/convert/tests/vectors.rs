//! How texts become vectors, in both formats. That the vectors are the same ones is tested in Python, with engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{keys_of_gguf, run};
use serde_json::{Value, json};
use tempfile::TempDir;
use trillm_convert::{Dtype, Error, Target};
use trillm_core::Coded;
use trillm_formats::inspect;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;

struct Folder(TempDir);

impl Folder {
    /// A tiny Llama, and beside it the parts of a sentence-transformer behind the network.
    fn new(parts: &[(&str, Value)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        TinyLlama::default().write_huggingface(&folder.at("model"), TensorType::F32).unwrap();
        let module =
            |name: &str, path: &str| json!({ "path": path, "type": format!("sentence_transformers.models.{name}") });
        let mut modules = vec![module("Transformer", "")];
        for (name, config) in parts {
            fs::create_dir(folder.at("model").join(name)).unwrap();
            folder.put(&format!("{name}/config.json"), config);
            modules.push(module(name, name));
        }
        folder.put("modules.json", &modules.into());
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, value: &Value) {
        fs::write(self.at("model").join(name), value.to_string()).unwrap();
    }

    /// Converts the model to a file, and gives the notes.
    fn file(&self) -> Result<Vec<String>, Error> {
        run(&self.at("model"), &self.at("model.gguf"), Target::Gguf, Dtype::F32).map(|report| report.notes)
    }
}

fn pooling_type(file: &Path) -> Option<String> {
    keys_of_gguf(file).remove("llama.pooling_type")
}

/// How a model pools, and whether its files say so.
fn pooling(path: &Path) -> (Option<String>, bool) {
    let pipeline = inspect(path).unwrap().pipeline.unwrap();
    (pipeline.pooling_name(), pipeline.stated)
}

#[test]
fn the_way_of_pooling_goes_along_in_both_directions() {
    // The numbers are those of `gguf.PoolingType` of llama.cpp's converter.
    for (mode, name, number) in [("mean", "mean", 1), ("cls", "cls", 2), ("lasttoken", "last", 3)] {
        let folder = Folder::new(&[("Pooling", json!({ "pooling_mode": mode }))]);
        assert!(folder.file().unwrap().iter().all(|note| !note.contains("place for")));
        assert_eq!(pooling_type(&folder.at("model.gguf")), Some(format!("U32({number})")));
        run(&folder.at("model.gguf"), &folder.at("back"), Target::Safetensors, Dtype::F32).unwrap();
        for path in ["model", "model.gguf", "back"] {
            assert_eq!(pooling(&folder.at(path)), (Some(name.into()), true), "{path}");
        }
    }
}

#[test]
fn what_no_file_says_is_the_same_on_both_sides() {
    let folder = Folder::new(&[]);
    fs::remove_file(folder.at("model/modules.json")).unwrap();
    folder.file().unwrap();
    assert_eq!(pooling_type(&folder.at("model.gguf")), None);
    run(&folder.at("model.gguf"), &folder.at("back"), Target::Safetensors, Dtype::F32).unwrap();
    assert!(!folder.at("back/modules.json").exists());
    for path in ["model", "model.gguf", "back"] {
        assert_eq!(pooling(&folder.at(path)), (Some("last".into()), false), "{path}");
    }
    // sentence-transformers pools a bare network by the mean.
    let path = folder.at("model/config.json");
    let text = fs::read_to_string(&path).unwrap().replace("LlamaForCausalLM", "LlamaModel");
    fs::write(&path, text).unwrap();
    fs::remove_file(folder.at("model.gguf")).unwrap();
    folder.file().unwrap();
    assert_eq!(pooling_type(&folder.at("model.gguf")).as_deref(), Some("U32(1)"));
}

#[test]
fn what_would_change_vectors_is_refused() {
    let plain = json!({ "pooling_mode": "mean" });
    let bert = json!({ "do_lower_case": true });
    let before = json!({ "prompts": { "query": "find: " }, "default_prompt_name": "query" });
    let cut = json!({ "truncate_dim": 3 });
    let cases = [
        ("the pooling max", json!({ "pooling_mode": "max" }), None),
        ("the pooling mean_sqrt_len", json!({ "pooling_mode": "mean_sqrt_len_tokens" }), None),
        ("the pooling weightedmean", json!({ "pooling_mode": "weightedmean" }), None),
        ("the pooling cls+mean", json!({ "pooling_mode": ["cls", "mean"] }), None),
        ("leaves the prompt out", json!({ "pooling_mode": "mean", "include_prompt": false }), None),
        ("do_lower_case", plain.clone(), Some(("sentence_bert_config.json", bert))),
        ("the prompt \"query\"", plain.clone(), Some(("config_sentence_transformers.json", before))),
        ("truncate", plain.clone(), Some(("config_sentence_transformers.json", cut))),
    ];
    for (word, pooling, file) in cases {
        let folder = Folder::new(&[("Pooling", pooling)]);
        if let Some((name, value)) = file {
            folder.put(name, &value);
        }
        let error = folder.file().unwrap_err();
        assert!(error.to_string().to_lowercase().contains(word), "{word}: {error}");
        assert_eq!((error.code(), folder.at("model.gguf").exists()), ("cannot_convert", false));
        assert!(error.hint().unwrap().contains("without modules.json"), "{error}");
    }
}

#[test]
fn what_is_lost_for_convenience_is_named() {
    let folder = Folder::new(&[("Pooling", json!({ "pooling_mode": "lasttoken" })), ("Normalize", json!({}))]);
    folder.put("config_sentence_transformers.json", &json!({ "prompts": { "query": "find: ", "document": "" } }));
    folder.put("sentence_bert_config.json", &json!({ "max_seq_length": 7 }));
    let notes = folder.file().unwrap();
    for word in ["no place for them (query)", "no place for Normalize", "7 tokens"] {
        assert_eq!(notes.iter().filter(|note| note.contains(word)).count(), 1, "{word}: {notes:?}");
    }
    assert_eq!(pooling_type(&folder.at("model.gguf")).as_deref(), Some("U32(3)"));
}
