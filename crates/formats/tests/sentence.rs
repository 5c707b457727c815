//! What sentence-transformers writes beside a model: what of it counts, and that nothing in it can do harm.

mod common;
#[path = "common/hugging_face.rs"]
mod hugging_face;

use common::{Folder, refused};
use hugging_face::safetensors;
use serde_json::{Value, json};
use trillm_core::{Activation, ModelInfo, Pooling, Purpose, Residual, Step};
use trillm_formats::{inspect, named_modules, opened};

const WORDS: (&str, &[u64]) = ("embeddings.word_embeddings.weight", &[4, 2]);

fn bert() -> Value {
    json!({
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 4, "num_attention_heads": 2,
        "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 10, "max_position_embeddings": 32,
    })
}

/// A model with these small files.
fn folder(name: &str, files: &[(&str, Value)]) -> Folder {
    let folder = Folder::new(&format!("sentence-{name}"));
    folder.write("config.json", bert().to_string().as_bytes());
    folder.write("model.safetensors", &safetensors(&[WORDS]));
    for (name, content) in files {
        put(&folder, name, content);
    }
    folder
}

fn put(folder: &Folder, name: &str, content: &Value) {
    if let Some((below, _)) = name.rsplit_once('/') {
        std::fs::create_dir_all(folder.0.join(below)).expect("a folder");
    }
    folder.write(name, content.to_string().as_bytes());
}

fn modules(kinds: &[(&str, &str)]) -> (&'static str, Value) {
    let module = |(index, (kind, path)): (usize, &(&str, &str))| json!({ "idx": index, "name": index.to_string(), "path": path, "type": kind });
    ("modules.json", kinds.iter().enumerate().map(module).collect())
}

fn usual() -> (&'static str, Value) {
    modules(&[("sentence_transformers.models.Transformer", ""), ("sentence_transformers.models.Pooling", "1_Pooling")])
}

fn info(folder: &Folder) -> ModelInfo {
    inspect(&folder.0).expect("accepted")
}

#[test]
fn switches_stand_in_the_order_of_the_library() {
    let all = json!({
        "pooling_mode_lasttoken": true, "pooling_mode_weightedmean_tokens": true, "pooling_mode_mean_tokens": true,
        "pooling_mode_mean_sqrt_len_tokens": true, "pooling_mode_max_tokens": true, "pooling_mode_cls_token": true,
        "include_prompt": false,
    });
    let read = info(&folder("switches", &[usual(), ("1_Pooling/config.json", all)])).pipeline.expect("vectors");
    let expected =
        [Pooling::First, Pooling::Max, Pooling::Mean, Pooling::MeanSqrt, Pooling::WeightedMean, Pooling::Last];
    assert_eq!((read.pooling, read.include_prompt, read.stated), (expected.to_vec(), false, true));
}

#[test]
fn a_dense_says_where_its_weights_lie() {
    let list = modules(&[
        ("sentence_transformers.base.modules.transformer.Transformer", ""),
        ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "pool/here"),
        ("sentence_transformers.base.modules.dense.Dense", "dense"),
    ]);
    let config = json!({ "in_features": 8, "out_features": 3, "use_residual": true,
        "activation_function": "torch.nn.modules.activation.GELU" });
    let pooling = ("pool/here/config.json", json!({ "pooling_mode": ["cls", "mean"] }));
    let folder = folder("dense", &[list, pooling, ("dense/config.json", config)]);
    let tensors: [(&str, &[u64]); 3] =
        [("linear.weight", &[3, 8]), ("linear.bias", &[3]), ("residual.weight", &[3, 8])];
    let weights = safetensors(&tensors);
    let path = folder.write("dense/model.safetensors", &weights);
    let pipeline = info(&folder).pipeline.expect("vectors");
    let [Step::Dense(dense)] = &pipeline.steps[..] else { panic!("{:?}", pipeline.steps) };
    assert_eq!((dense.inputs, dense.outputs, dense.activation), (8, 3, Activation::GELU));
    assert_eq!((&dense.weight.path, dense.bias.is_some()), (&path, true));
    assert!(matches!(dense.residual, Residual::Projected(_)));
    let offset = dense.weight.offset as usize;
    assert!(offset > 8 && offset < weights.len());
    // A width that does not fit is not multiplied with.
    put(&folder, "pool/here/config.json", &json!({ "pooling_mode": "cls" }));
    refused(|| inspect(&folder.0), "invalid_key", "in_features");
}

#[test]
fn the_network_may_lie_below() {
    let folder = Folder::new("sentence-below");
    std::fs::create_dir_all(folder.0.join("0_BERT")).expect("a folder");
    folder.write("0_BERT/config.json", bert().to_string().as_bytes());
    folder.write("0_BERT/model.safetensors", &safetensors(&[WORDS]));
    folder.write("0_BERT/sentence_bert_config.json", br#"{"max_seq_length": 7}"#);
    let kinds =
        [("sentence_transformers.models.Transformer", "0_BERT"), ("sentence_transformers.models.Pooling", "1_Pooling")];
    let (name, list) = modules(&kinds);
    put(&folder, name, &list);
    put(&folder, "1_Pooling/config.json", &json!({ "pooling_mode": "max" }));
    let read = info(&folder);
    assert!(read.path.ends_with("0_BERT/model.safetensors"));
    let pipeline = read.pipeline.expect("vectors");
    assert_eq!((pipeline.pooling, pipeline.max_tokens), (vec![Pooling::Max], Some(7)));
}

#[test]
fn paths_stay_inside_the_folder() {
    let pool = json!({ "pooling_mode": "max" });
    for path in
        ["..", "../x", "a/../../x", "/etc", "C:\\x", "a\\b", "a//b", "a/./b", ".", "././a", "a\0", &"a/".repeat(300)]
    {
        let kinds = [("sentence_transformers.models.Transformer", ""), ("sentence_transformers.models.Pooling", path)];
        let folder = folder("paths", &[modules(&kinds), ("1_Pooling/config.json", pool.clone())]);
        refused(|| inspect(&folder.0), "invalid_key", "path");
    }
}

#[test]
fn paths_may_begin_where_they_are() {
    let kinds =
        [("sentence_transformers.models.Transformer", "./"), ("sentence_transformers.models.Pooling", "./1_Pooling/")];
    let made = folder("here", &[modules(&kinds), ("1_Pooling/config.json", json!({ "pooling_mode": "max" }))]);
    assert_eq!(info(&made).pipeline.expect("vectors").pooling, [Pooling::Max]);
}

#[test]
fn what_a_tokenizer_is_called_with_is_followed_or_refused() {
    let with = |call: Value| {
        let own = ("sentence_bert_config.json", json!({ "max_seq_length": 20, "processing_kwargs": call }));
        folder("call", &[usual(), ("1_Pooling/config.json", json!({})), own])
    };
    let longest = |call: Value| info(&with(call)).pipeline.expect("vectors").max_tokens;
    assert_eq!(longest(json!({})), Some(20));
    assert_eq!(
        longest(json!({ "text": { "max_length": 30, "truncation": "longest_first", "padding": true } })),
        Some(30)
    );
    for (call, code, part) in [
        (json!({ "text": { "truncation": false } }), "invalid_key", "processing_kwargs.text.truncation"),
        (json!({ "text": { "add_special_tokens": false } }), "unsupported", "add_special_tokens"),
        (json!({ "text": { "max_length": 0 } }), "invalid_key", "max_length"),
        (json!({ "text": 7 }), "invalid_key", "processing_kwargs.text"),
        (json!({ "common": { "max_length": 7 } }), "unsupported", "common"),
    ] {
        let made = with(call);
        refused(|| inspect(&made.0), code, part);
    }
}

#[test]
fn lists_and_settings_are_bounded_and_checked() {
    let long: Value = (0..65).map(|_| usual().1[0].clone()).collect();
    for (list, code) in [
        (json!({}), "invalid_key"),
        (json!([1]), "invalid_key"),
        (json!([]), "missing_key"),
        (json!([{ "type": 7 }]), "invalid_key"),
        (json!([{ "path": "" }]), "missing_key"),
        (json!([{ "type": "sentence_transformers.models.CLIPModel" }]), "unsupported"),
        (json!([{ "type": "Pooling" }]), "unsupported"),
        (long, "over_limit"),
    ] {
        let folder = folder("lists", &[("modules.json", list.clone())]);
        let error = inspect(&folder.0).expect_err("refused");
        assert_eq!(trillm_core::Coded::code(&error), code, "{list}: {error}");
    }
    for config in [json!({ "max_seq_length": 0 }), json!({ "max_seq_length": -1 }), json!({ "do_lower_case": 1 })] {
        let files = [usual(), ("1_Pooling/config.json", json!({})), ("sentence_bert_config.json", config)];
        refused(|| inspect(&folder("settings", &files).0), "invalid_key", "sentence_bert_config.json");
    }
    let many: serde_json::Map<_, _> = (0..1025).map(|index| (index.to_string(), json!(""))).collect();
    let files = [
        usual(),
        ("1_Pooling/config.json", json!({})),
        ("config_sentence_transformers.json", json!({ "prompts": many })),
    ];
    refused(|| inspect(&folder("prompts", &files).0), "invalid_key", "prompts");
}

#[test]
fn keys_that_a_module_does_not_take_are_refused() {
    // As sentence-transformers 6.2 does, by a TypeError; keys that it takes for granted stay.
    let list = modules(&[
        ("sentence_transformers.models.Transformer", ""),
        ("sentence_transformers.models.Pooling", "1_Pooling"),
        ("sentence_transformers.models.Dropout", "2_Dropout"),
        ("sentence_transformers.models.Normalize", "3_Normalize"),
    ]);
    let files = [
        ("1_Pooling/config.json", json!({ "word_embedding_dimension": 8, "pooling_mode_mean_tokens": true })),
        ("sentence_bert_config.json", json!({ "max_seq_length": 16, "do_lower_case": false, "backend": "torch" })),
        ("2_Dropout/config.json", json!({ "dropout": 0.1 })),
        ("3_Normalize/config.json", json!({ "foo": 1 })),
    ];
    let made = folder("keys", &[&[list], &files[..]].concat());
    info(&made);
    for (name, content) in &files[..3] {
        let mut more = content.clone();
        more["foo"] = json!(1);
        put(&made, name, &more);
        refused(|| inspect(&made.0), "invalid_key", "foo");
        put(&made, name, content);
    }
    put(&made, "1_Pooling/config.json", &json!({ "pooling_mode": "mean", "embedding_dimension": 8, "foo": 1 }));
    refused(|| inspect(&made.0), "invalid_key", "foo");
}

#[test]
fn lengths_come_from_the_nearest_file() {
    let longest = |files: &[(&str, Value)]| info(&folder("lengths", files)).pipeline.expect("vectors").max_tokens;
    let pool = ("1_Pooling/config.json", json!({}));
    let tokens = |longest: Value| ("tokenizer_config.json", json!({ "model_max_length": longest }));
    assert_eq!(longest(&[usual(), pool.clone()]), Some(32));
    assert_eq!(longest(&[usual(), pool.clone(), tokens(json!(9))]), Some(9));
    assert_eq!(longest(&[usual(), pool.clone(), tokens(json!(1e30))]), Some(32));
    let own = ("sentence_bert_config.json", json!({ "max_seq_length": 40 }));
    assert_eq!(longest(&[usual(), pool, tokens(json!(9)), own]), Some(40));
}

#[test]
fn classifiers_of_texts_score_pairs() {
    let folder = folder("labels", &[]);
    let mut config = bert();
    config["architectures"] = json!(["BertForSequenceClassification"]);
    folder.write("config.json", config.to_string().as_bytes());
    let tensors: [(&str, &[u64]); 5] = [
        ("bert.embeddings.word_embeddings.weight", &[4, 2]),
        ("bert.pooler.dense.weight", &[4, 4]),
        ("bert.pooler.dense.bias", &[4]),
        ("classifier.weight", &[1, 4]),
        ("classifier.bias", &[1]),
    ];
    folder.write("model.safetensors", &safetensors(&tensors));
    let read = info(&folder);
    assert_eq!(read.purpose, Purpose::Labels);
    let scoring = read.scoring.expect("scores");
    let [Step::Dense(pooler), Step::Dense(last)] = &scoring.steps[..] else { panic!("{:?}", scoring.steps) };
    assert_eq!((pooler.activation, last.activation, last.outputs), (Activation::Tanh, Activation::Sigmoid, 1));
    // Without the layer there are no scores, and the reason is told.
    folder.write("model.safetensors", &safetensors(&tensors[..4]));
    let read = info(&folder);
    assert!(read.scoring.is_none() && read.notes.iter().any(|note| note.contains("classifier.bias")));
}

#[test]
fn damaged_files_are_errors() {
    let files: [(&str, Value); 5] = [
        usual(),
        ("1_Pooling/config.json", json!({ "pooling_mode": ["cls", "mean"], "include_prompt": false })),
        ("sentence_bert_config.json", json!({ "max_seq_length": 16, "do_lower_case": true })),
        ("config_sentence_transformers.json", json!({ "prompts": { "query": "q: " }, "default_prompt_name": "query" })),
        ("tokenizer_config.json", json!({ "model_max_length": 512, "truncation_side": "left" })),
    ];
    let folder = folder("damaged", &files);
    inspect(&folder.0).expect("accepted");
    for (name, content) in &files {
        let text = content.to_string().into_bytes();
        for at in 0..text.len() {
            for change in [b'0', b'"', b'[', 0, 0xff] {
                let mut bytes = text.clone();
                bytes[at] = change;
                folder.write(name, &bytes);
                // Accepted or refused: that it comes back is the test.
                let _ = inspect(&folder.0);
            }
            folder.write(name, &text[..at]);
            let _ = inspect(&folder.0);
        }
        folder.write(name, &text);
    }
}

#[test]
fn a_list_names_its_parts_for_whoever_takes_them_along() {
    let list = json!([
        {"path": "net/", "type": "sentence_transformers.models.Transformer"},
        {"path": "pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "./a/b", "type": "sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm"},
        {"path": "", "type": "sentence_transformers.models.Normalize"},
        {"path": "own", "type": "of.somebody.Else"},
        {"type": "no path"},
        7,
    ]);
    let folder = folder("named", &[("modules.json", list)]);
    let named = named_modules(&folder.0.join("modules.json")).unwrap();
    let said = named.iter().map(|it| (it.folder.as_str(), it.is_network, it.needs_configuration, it.has_weights));
    let expected = [
        ("net", true, false, false),
        ("pooling", false, true, false),
        ("a/b", false, true, true),
        ("", false, false, false),
        ("own", false, false, false),
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
    for other in [json!({}), json!("text"), json!(null)] {
        put(&folder, "modules.json", &other);
        assert_eq!(named_modules(&folder.0.join("modules.json")).unwrap(), []);
    }
    assert_eq!(named_modules(&folder.0.join("none.json")).unwrap(), []);
    for path in ["..", "../x", "/etc", "a//b", "a\\b", "C:", "a/./b", ".", "././a"] {
        put(&folder, "modules.json", &json!([{"path": path, "type": "x"}]));
        let error = named_modules(&folder.0.join("modules.json")).unwrap_err().to_string();
        assert!(error.contains("the key path holds") && error.contains("a path below the folder"), "{error}");
    }
}

#[test]
fn what_loading_opens_is_said_without_loading_it() {
    let model = folder("opened", &[]);
    let at = |name: &str| model.0.join(name);
    let places = |path: &std::path::Path| {
        let found = opened(path).unwrap().unwrap();
        [found.file, found.small, found.modules]
    };
    assert_eq!(places(&model.0), [at("model.safetensors"), model.0.clone(), model.0.clone()]);
    assert_eq!(places(&at("model.safetensors")), places(&model.0));
    assert_eq!(opened(&at("config.json")).unwrap(), None);
    std::fs::create_dir_all(at("net")).unwrap();
    std::fs::rename(at("model.safetensors"), at("net/odd.safetensors")).unwrap();
    assert!(opened(&model.0).is_err());
    put(&model, "modules.json", &json!([{"path": "net", "type": "sentence_transformers.models.Transformer"}]));
    assert_eq!(places(&model.0), [at("net/odd.safetensors"), at("net"), model.0.clone()]);
    std::fs::create_dir_all(at("onnx")).unwrap();
    model.write("onnx/model.onnx", b"a graph by its name");
    let above = model.0.canonicalize().unwrap();
    assert_eq!(places(&at("onnx/model.onnx")), [at("onnx/model.onnx"), model.0.clone(), model.0.clone()]);
    model.write("onnx/tokenizer.json", b"{}");
    assert_eq!(places(&at("onnx")), [at("onnx/model.onnx"), at("onnx"), above]);
}
