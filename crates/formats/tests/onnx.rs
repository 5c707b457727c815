//! ONNX models that are read: how they are run, what the runtime gets, and what `info` says.

mod common;
#[path = "common/onnx.rs"]
mod onnx;

use std::time::{Duration, Instant};

use common::Folder;
use onnx::*;
use serde_json::json;
use trillm_core::{CacheType, Layer, Step};
use trillm_formats::onnx::{Cache, DataType, Decoder, Encoder, Interface, Onnx, Part, Role};
use trillm_formats::{TokenizerFile, inspect};

/// Opens a model in a folder of its own, with files beside it.
fn open_with(model: &Model, name: &str, files: &[(&str, serde_json::Value)]) -> Onnx {
    let folder = Folder::new(name);
    for (name, value) in files {
        folder.write(name, value.to_string().as_bytes());
    }
    Onnx::open(&model.write(&folder.0)).unwrap_or_else(|error| panic!("{error}"))
}

fn open(model: &Model, name: &str) -> Onnx {
    open_with(model, name, &[])
}

fn decoder(model: &Onnx) -> &Decoder {
    let Interface::Decoder(decoder) = &model.interface else { panic!("{:?}", model.interface) };
    decoder
}

fn encoder(model: &Onnx) -> &Encoder {
    let Interface::Encoder(encoder) = &model.interface else { panic!("{:?}", model.interface) };
    encoder
}

/// The graph that the runtime gets.
fn graph(model: &Onnx) -> Vec<u8> {
    all(&model.skeleton.model, 7).remove(0)
}

/// Operators of the graph with their inputs.
fn nodes(model: &Onnx) -> Vec<(String, Vec<String>)> {
    all(&graph(model), 1).iter().map(|node| (texts(node, 4).concat(), texts(node, 1))).collect()
}

#[test]
fn a_decoder_without_a_cache() {
    let read = open(&Model::decoder(), "plain");
    let decoder = decoder(&read);
    assert_eq!((decoder.vocabulary, &decoder.cache, decoder.mixes_rows), (10, &Cache::None, false));
    assert_eq!((decoder.feeds[0].role, decoder.feeds[0].element), (Role::Tokens, DataType::I64));
    assert_eq!((decoder.scores.name.as_str(), decoder.scores.element), ("logits", DataType::F32));
    // Both weights are small: they stay in the graph.
    assert_eq!((read.skeleton.weights.len(), read.skeleton.files.len()), (0, 1));
    let info = read.info();
    assert_eq!((info.format, info.architecture.as_str(), info.quantization.as_str()), ("onnx", "unknown", "F32"));
    assert_eq!((info.parameters, info.width, info.vocabulary, info.context_trained), (80, 4, 10, 0));
    assert_eq!(info.bytes, Model::decoder().bytes().len() as u64);
}

#[test]
fn the_last_row_alone_is_projected() {
    let read = open(&Model::decoder(), "last");
    assert!(decoder(&read).last_row);
    let nodes = nodes(&read);
    let names: Vec<&str> = nodes.iter().map(|(op, _)| op.as_str()).collect();
    assert_eq!(names, ["Gather", "Slice", "MatMul"]);
    let bounds = ["starts", "ends", "axes"].map(|end| format!("trillm/last_row/{end}"));
    assert_eq!(nodes[1].1, [&["hidden".to_owned()][..], &bounds].concat());
    assert_eq!(nodes[2].1, ["trillm/last_row/hidden", "head"]);
    let tensors = all(&graph(&read), 5);
    let values: Vec<(String, Vec<u8>)> =
        tensors.iter().skip(2).map(|tensor| (texts(tensor, 8).concat(), all(tensor, 9).concat())).collect();
    let expected = [-1i64, i64::MAX, 1].map(|bound| bound.to_le_bytes().to_vec());
    assert_eq!(values, bounds.into_iter().zip(expected).collect::<Vec<_>>());
    // The output says that it has one position now.
    let output = &all(&graph(&read), 12)[0];
    assert_eq!(output, &port("logits", F32, &[D::S("batch"), D::N(1), D::N(10)]).0);
    assert!(read.info().notes.iter().any(|note| note.contains("last position")), "{:?}", read.info().notes);
}

#[test]
fn names_that_are_taken_are_left_alone() {
    let model = Model::decoder().node(op("Identity", &["hidden"], &["trillm/last_row/hidden"]));
    let nodes = nodes(&open(&model, "taken"));
    assert_eq!(nodes[2].1, ["trillm/last_row/hidden_", "head"]);
}

#[test]
fn the_projection_is_found_behind_plain_steps() {
    let build = |steps: &[M]| {
        let mut model = Model::decoder().tensor(floats("bias", &[10])).tensor(floats("cap", &[]));
        model.nodes.pop();
        model.node(op("MatMul", &["hidden", "head"], &["raw"])).change(|model| model.nodes.extend_from_slice(steps))
    };
    let steps = [
        op("Add", &["bias", "raw"], &["a"]),
        op("Div", &["a", "cap"], &["b"]),
        op("Tanh", &["b"], &["c"]),
        op("Mul", &["c", "cap"], &["d"]),
        op("Cast", &["d"], &["logits"]),
    ];
    let value = |name| port(name, F32, &[D::S("batch"), D::S("sequence"), D::N(10)]);
    let model = build(&steps).change(|model| model.more[0] = M::default().message(13, &value("raw")));
    let read = open(&model, "steps");
    assert!(decoder(&read).last_row);
    assert_eq!(all(&graph(&read), 13).len(), 0, "shapes on the way are not true any more");
    // One that mixes positions, one that another output sees, and one whose hidden state does not depend on tokens.
    let cases = [
        build(&[op("Softmax", &["raw"], &["logits"])]),
        build(&[op("Cast", &["raw"], &["logits"])]).output(value("raw")),
        build(&[op("Cast", &["raw"], &["logits"]), op("Shape", &["raw"], &["other"])]),
        build(&[op("Add", &["raw", "hidden"], &["logits"])]),
        Model::decoder().change(|model| model.opsets[0].1 = 9),
        Model::decoder().input(port("num_logits_to_keep", I64, &[])),
        Model::decoder().change(|model| model.tensors[1] = floats("head", &[1, 4, 10])),
    ];
    for (number, model) in cases.iter().enumerate() {
        let read = open(model, "unlike");
        assert!(!decoder(&read).last_row, "case {number}");
        assert!(!nodes(&read).iter().any(|(op, _)| op == "Slice"), "case {number}");
    }
}

#[test]
fn a_use_in_a_branch_counts() {
    let inner = M::default().message(1, &op("Identity", &["logits"], &["x"]));
    let model = Model::decoder().node(branch(op("If", &["condition"], &["y"]), &inner));
    assert!(!decoder(&open(&model, "branch")).last_row);
}

#[test]
fn a_projection_of_packed_bits_is_found() {
    let attributes = [("K", 4), ("N", 10), ("bits", 4), ("block_size", 32)];
    let mut model =
        Model::decoder().tensor(tensor("packed", U8, &[10, 1, 16], &[0; 160])).tensor(floats("scales", &[10]));
    model.nodes[1] =
        with(node("com.microsoft", "MatMulNBits", &["hidden", "packed", "scales"], &["logits"]), &attributes);
    model.tensors.remove(1);
    let read = open(&model, "bits");
    assert!(decoder(&read).last_row);
    let info = read.info();
    // The embedding has 40 numbers in 160 bytes; so has the matrix, in as many bytes, but padded.
    assert_eq!((info.parameters, info.width), (80, 4));
    let model = model.change(|model| model.tensors[0] = floats("embedding", &[2, 4]));
    assert_eq!(open(&model, "more bits").info().quantization, "INT4");
}

#[test]
fn a_cache_that_grows() {
    let read = open(&Model::cached(), "grown");
    let Cache::Grown(tensors) = &decoder(&read).cache else { panic!("{:?}", decoder(&read).cache) };
    assert_eq!(tensors.len(), 2);
    assert_eq!((tensors[1].past.as_str(), tensors[1].present.as_str()), ("past_key_values.0.value", "present.0.value"));
    assert_eq!((tensors[0].heads, tensors[0].width, tensors[0].part), (2, 8, Part::Key));
    let info = read.info();
    let layer = Layer { kv_heads: 2, key: 8, value: 8, ..Layer::default() };
    assert_eq!((info.layers, info.shape.layers), (1, Some(vec![layer])));
    // Whatever is asked for: the graph has the type of what it keeps.
    assert_eq!(info.shape.cache_type, Some(CacheType::F32));
}

#[test]
fn a_cache_in_one_buffer() {
    let read = open(&Model::shared(), "shared");
    let Cache::Shared(tensors) = &decoder(&read).cache else { panic!("{:?}", decoder(&read).cache) };
    // 128 columns are four heads of queries, and two each of keys and values.
    assert_eq!((tensors[0].heads, tensors[0].width), (2, 16));
    // The tables of cosines say how far it goes.
    assert_eq!((read.info().context_trained, read.info().layers), (64, 1));
    assert_eq!(read.info().parameters, 80 + 4 * 128, "cosines are no weights");
    let layer = Layer { kv_heads: 2, key: 16, value: 16, ..Layer::default() };
    assert_eq!(read.info().shape.layers, Some(vec![layer]));
    for (said, context) in [(32, 32), (1 << 20, 64)] {
        let config = json!({ "max_position_embeddings": said });
        let read = open_with(&Model::shared(), "context", &[("config.json", config)]);
        assert_eq!(read.info().context_trained, context);
    }
}

#[test]
fn the_width_of_a_head_comes_from_what_says_it() {
    let unknown = |model: Model| model.change(|model| model.tensors[2] = floats("qkv_weight", &[1, 4, 128]));
    let width = |read: &Onnx| match &decoder(read).cache {
        Cache::Shared(tensors) => tensors[0].width,
        other => panic!("{other:?}"),
    };
    let genai = json!({ "model": { "decoder": { "head_size": 32 } } });
    let genai = [("genai_config.json", genai)];
    assert_eq!(width(&open_with(&Model::shared(), "both", &genai)), 16, "the graph is what is computed");
    assert_eq!(width(&open_with(&unknown(Model::shared()), "genai", &genai)), 32);
    assert_eq!(width(&open(&unknown(Model::shared()), "cosines")), 16);
    let no_tables = |model: Model| {
        model.change(|model| {
            let inputs = ["qkv", "", "", "past_key_values.0.key", "past_key_values.0.value", "lengths", "total"];
            let outputs = ["attended", "present.0.key", "present.0.value"];
            let attention = node("com.microsoft", "GroupQueryAttention", &inputs, &outputs);
            model.nodes[3] = with(attention, &[("num_heads", 4), ("kv_num_heads", 2)]);
        })
    };
    let config = json!({ "model_type": "new", "hidden_size": 96, "num_attention_heads": 4 });
    let read = open_with(&no_tables(unknown(Model::shared())), "config", &[("config.json", config)]);
    assert_eq!(width(&read), 24);
    assert_eq!((read.info().architecture.as_str(), read.info().width), ("new", 96));
}

#[test]
fn names_of_other_exporters() {
    let shape = [D::S("batch"), D::N(2), D::S("past"), D::N(8)];
    let joined = [D::N(2), D::S("batch"), D::N(3), D::S("past"), D::N(4)];
    let cases: [(&str, &str, &[D]); 5] = [
        ("past_key_0", "present_key_0", &shape),
        ("past_value_12", "present_value_12", &shape),
        ("past_key_self_3", "present_key_self_3", &shape),
        ("past_key_values.7.value", "present_key_values.7.value", &shape),
        ("past_0", "present_0", &joined),
    ];
    for (past, present, shape) in cases {
        let model = Model::decoder().input(port(past, F16, shape)).output(port(present, F16, shape));
        let read = open(&model, "names");
        let Cache::Grown(tensors) = &decoder(&read).cache else { panic!("{past}") };
        assert_eq!((tensors[0].past.as_str(), tensors[0].present.as_str()), (past, present));
        assert_eq!(tensors[0].element, DataType::F16);
        let sizes = if past == "past_0" { (3, 4, true) } else { (2, 8, false) };
        assert_eq!((tensors[0].heads, tensors[0].width, tensors[0].part == Part::Both), sizes);
        let (key, value) = match past {
            "past_0" => (4, 4),
            "past_key_0" | "past_key_self_3" => (8, 0),
            _ => (0, 8),
        };
        let layer = Layer { kv_heads: sizes.0, key, value, ..Layer::default() };
        assert_eq!(read.info().shape.layers, Some(vec![layer]), "{past}");
        assert_eq!(read.info().shape.cache_type, Some(CacheType::F16));
    }
}

#[test]
fn names_that_the_configuration_gives() {
    let shape = [D::S("batch"), D::N(2), D::S("past"), D::N(8)];
    let mut model = Model::decoder().input(port("m", I64, &TOKENS)).input(port("k_4_in", F32, &shape));
    model.inputs[0] = port("ids", I64, &TOKENS);
    model.outputs[0] = port("out", F32, &[D::S("batch"), D::S("sequence"), D::N(10)]);
    model.nodes[1] = op("MatMul", &["hidden", "head"], &["out"]);
    let model = model.output(port("k_4_out", F32, &shape));
    let genai = json!({ "model": {
        "type": "phi", "context_length": 4096, "eos_token_id": [7, 9], "bos_token_id": 1, "vocab_size": 10,
        "decoder": {
            "filename": "model.onnx",
            "inputs": { "input_ids": "ids", "attention_mask": "m", "past_key_names": "k_%d_in" },
            "outputs": { "logits": "out", "present_key_names": "k_%d_out" },
        },
    } });
    let read = open_with(&model, "given", &[("genai_config.json", genai)]);
    let roles: Vec<Role> = decoder(&read).feeds.iter().map(|feed| feed.role).collect();
    assert_eq!(roles, [Role::Tokens, Role::Mask]);
    assert_eq!(decoder(&read).scores.name, "out");
    assert!(matches!(&decoder(&read).cache, Cache::Grown(tensors) if tensors[0].past == "k_4_in"));
    assert_eq!((read.info().architecture.as_str(), read.info().context_trained), ("phi", 4096));
    assert_eq!((&read.sidecars.end_ids[..], read.sidecars.bos_id), (&[7, 9][..], Some(1)));
}

#[test]
fn every_role_is_known() {
    let line = [D::S("sequence")];
    let inputs: [(&str, u64, &[D], Role); 7] = [
        ("attention_mask", I64, &TOKENS, Role::Mask),
        ("position_ids", I64, &TOKENS, Role::Positions),
        ("cache_position", I64, &line, Role::CachePositions),
        ("token_type_ids", 6, &TOKENS, Role::TokenTypes),
        ("use_cache_branch", BOOL, &[D::N(1)], Role::UseCache),
        ("num_logits_to_keep", I64, &[], Role::ScoresKept { vector: false }),
        ("logits_to_keep", I64, &[D::N(1)], Role::ScoresKept { vector: true }),
    ];
    for (name, element, shape, role) in inputs {
        let read = open(&Model::decoder().input(port(name, element, shape)), "roles");
        let feed = &decoder(&read).feeds[1];
        assert_eq!((feed.name.as_str(), feed.role, feed.element as u64), (name, role, element));
    }
}

#[test]
fn old_files_list_their_weights_as_inputs() {
    let model = Model::decoder().change(|model| model.ir = 3);
    let model =
        model.input(port("embedding", F32, &[D::N(10), D::N(4)])).input(port("head", F32, &[D::N(4), D::N(10)]));
    assert_eq!(decoder(&open(&model, "old")).feeds.len(), 1);
}

#[test]
fn rows_that_share_a_scale_are_told() {
    let dynamic = || op("DynamicQuantizeLinear", &["hidden"], &["a", "b", "c"]);
    assert!(decoder(&open(&Model::decoder().node(dynamic()), "dynamic")).mixes_rows);
    let inner = M::default().message(1, &dynamic());
    let model = Model::encoder().node(branch(op("If", &["condition"], &["y"]), &inner));
    assert!(encoder(&open(&model, "dynamic inside")).mixes_rows);
}

#[test]
fn encoders_give_tokens_or_texts() {
    let read = open(&Model::encoder(), "encoder");
    assert_eq!((encoder(&read).pooled, encoder(&read).width), (false, 24));
    assert_eq!((read.info().width, read.info().pooling()), (24, None));
    // The vector of a whole model of sentence-transformers, whatever its modules; another output may be of any part.
    let model = Model::encoder().output(port("sentence_embedding", F32, &[D::S("batch"), D::N(24)]));
    assert!(encoder(&open(&model, "both")).pooled);
    let model = Model::encoder().output(port("pooler_output", F32, &[D::S("batch"), D::N(24)]));
    assert!(!encoder(&open(&model, "pooler")).pooled);
    let model = Model::encoder().change(|model| {
        model.outputs[0] = port("sentence_embedding", F16, &[D::S("batch"), D::N(12)]);
    });
    let read = open(&model, "texts");
    assert_eq!(
        (encoder(&read).pooled, encoder(&read).width, encoder(&read).vectors.element),
        (true, 12, DataType::F16)
    );

    let folder = Folder::new("pooling");
    std::fs::create_dir(folder.0.join("1_Pooling")).expect("a folder");
    folder.write("1_Pooling/config.json", br#"{"pooling_mode_cls_token": true}"#);
    let read = Onnx::open(&Model::encoder().write(&folder.0)).expect("sound");
    assert_eq!(read.info().pooling().as_deref(), Some("cls"));
}

/// A graph whose only output is pooled gives no vectors of tokens, so a folder that says how to pool them is followed
/// as far as that output can stand for it.
#[test]
fn what_the_graph_pooled_itself_is_followed_by_the_other_modules() {
    let graph = |output: &'static str| {
        Model::encoder().change(move |model| {
            model.outputs[0] = port(output, F32, &[D::S("batch"), D::N(24)]);
        })
    };
    let folder = |name: &str, output, pooling: &str| {
        let folder = Folder::new(name);
        std::fs::create_dir(folder.0.join("1_Pooling")).expect("a folder");
        folder.write("1_Pooling/config.json", pooling.as_bytes());
        let module =
            |kind: &str, path| format!(r#"{{"type": "sentence_transformers.models.{kind}", "path": "{path}"}}"#);
        let modules = [module("Transformer", ""), module("Pooling", "1_Pooling"), module("Normalize", "2_Normalize")];
        folder.write("modules.json", format!("[{}]", modules.join(", ")).as_bytes());
        let path = graph(output).write(&folder.0);
        (folder, path)
    };
    let mean = r#"{"pooling_mode": "mean"}"#;
    for output in ["text_embeds", "sentence_embeddings", "embeddings"] {
        let (_kept, path) = folder("pooled", output, mean);
        let info = Onnx::open(&path).expect("sound").info();
        let pipeline = info.pipeline.expect("vectors");
        assert_eq!((pipeline.pooling.len(), &pipeline.steps[..]), (0, &[Step::Normalize][..]));
        assert!(info.notes.iter().any(|note| note.contains(output) && note.contains("mean")), "{:?}", info.notes);
    }
    let (_kept, path) = folder("whole", "sentence_embedding", mean);
    assert_eq!(Onnx::open(&path).expect("sound").info().pipeline.expect("vectors").steps, []);
    for (output, pooling, words) in [
        ("pooler_output", mean, "the pooling mean of a graph that gives no vectors of tokens, but pooler_output"),
        ("text_embeds", r#"{"pooling_mode": ["cls", "max"]}"#, "the pooling cls+max of a graph"),
        ("text_embeds", r#"{"pooling_mode": "mean", "include_prompt": false}"#, "mean without the prompt"),
    ] {
        let (kept, path) = folder("not pooled so", output, pooling);
        common::refused(|| Onnx::open(&path), "unsupported", words);
        // Nor where the usual folder alone says so; without that there is nothing else to be had.
        std::fs::remove_file(kept.0.join("modules.json")).expect("removed");
        common::refused(|| Onnx::open(&path), "unsupported", words);
        std::fs::remove_file(kept.0.join("1_Pooling/config.json")).expect("removed");
        let info = Onnx::open(&path).expect("sound").info();
        assert!(info.notes.iter().any(|note| note.contains(output)), "{:?}", info.notes);
    }
}

#[test]
fn large_weights_stay_where_they_are() {
    let numbers: Vec<u8> = (0..16 * 16 * 4).map(|number| number as u8).collect();
    let model = Model::decoder().tensor(tensor("large", F32, &[16, 16], &numbers)).tensor(floats("small", &[255]));
    let model = model.with_external(&[("location", "sub/data.bin"), ("offset", "64"), ("length", "1024")]);
    let model = model.tensor(external("alone", I64, &[3], &[("location", "sub/data.bin"), ("checksum", "00")]));
    let model = model.tensor(external("nothing", F32, &[0, 5], &[("location", "../../etc/passwd")]));
    let model = model.node(op("Sum", &["large", "weight", "alone"], &["used"]));
    let folder = Folder::new("weights");
    std::fs::create_dir(folder.0.join("sub")).expect("a folder");
    folder.write("sub/data.bin", &[7; 64 + 1024]);
    let read = Onnx::open(&model.write(&folder.0)).expect("sound");

    let weights: Vec<_> = read.skeleton.weights.iter().map(|it| (it.name.as_str(), it.file, it.bytes)).collect();
    assert_eq!(weights, [("large", 0, 1024), ("weight", 1, 1024), ("alone", 1, 24)]);
    let (large, alone) = (&read.skeleton.weights[0], &read.skeleton.weights[2]);
    assert_eq!((large.element, &large.shape[..], alone.offset), (DataType::F32, &[16, 16][..], 0));
    let at = large.offset as usize;
    assert_eq!(model.bytes()[at..at + 1024], numbers[..]);
    let sizes: Vec<u64> = read.skeleton.files.iter().map(|file| file.size).collect();
    assert_eq!(sizes, [model.bytes().len() as u64, 1088]);
    assert_eq!(read.info().bytes, sizes.iter().sum::<u64>());
    assert!(read.info().notes.iter().any(|note| note.contains("checksums")));

    let tensors: Vec<(String, M)> =
        all(&graph(&read), 5).into_iter().map(|tensor| (texts(&tensor, 8).concat(), M(tensor))).collect();
    let place = |length| [("location", "weights"), ("offset", "0"), ("length", length)];
    let expected = external("large", F32, &[16, 16], &place("1024"));
    let found = |name: &str| tensors.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor.0.clone());
    assert_eq!(found("large"), Some(expected.0));
    assert_eq!(found("alone"), Some(external("alone", I64, &[3], &place("24")).0));
    assert_eq!(found("nothing"), Some(tensor("nothing", F32, &[0, 5], &[]).0), "no path of the file is left");
    assert_eq!(found("small"), Some(floats("small", &[255]).0));
}

#[test]
fn weights_that_nothing_uses_are_left_out() {
    let folder = Folder::new("unused weights");
    folder.write("data.bin", &[7; 1024]);
    let model = Model::decoder().with_external(&[("location", "data.bin")]);
    let weights = |model: &Model| {
        let read = Onnx::open(&model.write(&folder.0)).expect("sound");
        read.skeleton.weights.iter().map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    assert!(weights(&model).is_empty());
    // In a branch, as an output of the graph, or as an input that has a value.
    let inner = M::default().message(1, &op("Identity", &["weight"], &["same"]));
    assert_eq!(weights(&model.clone().node(branch(op("If", &["condition"], &["y"]), &inner))), ["weight"]);
    let port = port("weight", F32, &[D::N(16), D::N(16)]);
    assert_eq!(weights(&model.clone().output(port.clone())), ["weight"]);
    assert_eq!(weights(&model.input(port)), ["weight"]);
}

#[test]
fn numbers_in_fields_of_their_type_stay_in_the_graph() {
    let packed =
        |field, bytes: &[u8]| M::default().number(1, 3).number(2, if field == 4 { 1 } else { 7 }).bytes(field, bytes);
    let model =
        Model::decoder().tensor(packed(4, &[0; 12]).text(8, "floats")).tensor(packed(7, &[1, 2, 3]).text(8, "ints"));
    // Halves of two numbers share a byte, and an odd one has a byte of its own.
    let model = model.tensor(tensor("halves", 22, &[5], &[0; 3]));
    assert_eq!(open(&model, "typed").skeleton.weights.len(), 0);
}

#[test]
fn two_gigabytes_are_passed_over() {
    const LENGTH: u64 = 3 << 30;
    let folder = Folder::new("huge");
    let model = Model::decoder().node(op("Identity", &["huge"], &["used"])).bytes();
    // The graph again with one more tensor, whose numbers are a hole in the file.
    let mut parts = fields(&model);
    let graph = parts.remove(2).1.expect("the graph");
    let head = M::default().number(1, LENGTH / 4).number(2, F32).text(8, "huge");
    let length_bytes = |length: u64| M::default().number(0, length).0[1..].to_vec();
    let raw = [&[0x4a][..], &length_bytes(LENGTH)].concat();
    let tensor_length = (head.0.len() + raw.len()) as u64 + LENGTH;
    let tensor = [&[0x2a][..], &length_bytes(tensor_length), &head.0, &raw].concat();
    let graph_length = (graph.len() + tensor.len()) as u64 + LENGTH;
    let start = M::default().number(1, 8).message(8, &M::default().text(1, "").number(2, 17));
    let bytes = [&start.0[..], &[0x3a], &length_bytes(graph_length), &graph, &tensor].concat();
    let path = folder.write("model.onnx", &bytes);
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(bytes.len() as u64 + LENGTH).expect("a longer file");

    let begun = Instant::now();
    let read = Onnx::open(&path).expect("sound");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let weight = &read.skeleton.weights[0];
    assert_eq!((weight.offset, weight.bytes), (bytes.len() as u64, LENGTH));
    assert!(read.skeleton.model.len() < 2000);
}

#[test]
fn functions_of_the_file_may_be_used() {
    let opsets = [("", 18), ("pkg.lib", 1)];
    let inner = function("pkg.lib", "inner", &opsets, &[op("Add", &["x", "x"], &["y"])]);
    let outer = function("pkg.lib", "outer", &opsets, &[node("pkg.lib", "inner", &["x"], &["y"])]);
    let model = Model::decoder().node(node("pkg.lib", "outer", &["hidden"], &["z"]));
    let model = model.change(|model| {
        model.opsets.push(("pkg.lib".into(), 1));
        model.functions = vec![outer.clone(), inner];
    });
    let read = open(&model, "functions");
    assert_eq!(all(&read.skeleton.model, 25)[0], outer.0);
}

#[test]
fn texts_for_people_are_left_out() {
    let secret = M::default().text(1, "ort_config").text(2, "{}");
    let model = Model::decoder().change(|model| {
        model.more = [M::default().text(10, "about the graph"), M::default().text(6, "about").message(14, &secret)];
    });
    let skeleton = open(&model, "texts").skeleton.model;
    let fields: Vec<u64> = fields(&skeleton).into_iter().map(|(number, _)| number).collect();
    assert_eq!(fields, [1, 2, 8, 8, 7]);
}

#[test]
fn files_are_found_in_folders() {
    let folder = Folder::new("layouts");
    let model = |name: &str| {
        std::fs::create_dir_all(folder.0.join(name).parent().expect("a parent")).expect("a folder");
        std::fs::write(folder.0.join(name), Model::decoder().bytes()).expect("a file");
    };
    let found = || Onnx::open(&folder.0).map(|read| read.path.strip_prefix(&folder.0).map(ToOwned::to_owned));
    let named = |name: &str| assert_eq!(found().expect("sound").expect("below").to_str(), Some(name));
    assert!(found().expect_err("empty").to_string().contains("no .onnx file"));
    model("onnx/other_q4.onnx");
    named("onnx/other_q4.onnx");
    model("onnx/second.onnx");
    assert!(found().expect_err("two").to_string().contains("2 .onnx files"));
    model("onnx/decoder_model_merged.onnx");
    named("onnx/decoder_model_merged.onnx");
    model("onnx/model.onnx");
    named("onnx/model.onnx");
    folder.write("tokenizer.json", b"{}");
    assert_eq!(Onnx::open(&folder.0).expect("sound").folder, folder.0);
    model("model.onnx");
    named("model.onnx");
    folder.write("genai_config.json", br#"{"model": {"decoder": {"filename": "onnx/second.onnx"}}}"#);
    named("onnx/second.onnx");
    folder.write("genai_config.json", br#"{"model": {"decoder": {"filename": "../second.onnx"}}}"#);
    assert!(found().expect_err("above").to_string().contains("a path below the folder"));
}

#[test]
fn inspect_opens_them_too() {
    let folder = Folder::new("inspected");
    let path = Model::decoder().write(&folder.0);
    assert_eq!(inspect(&path).expect("sound").format, "onnx");
    assert_eq!(inspect(&folder.0).expect("sound").format, "onnx");
    assert_eq!(inspect(&path).expect("sound").path, path);
    // By its content, under any name; and by its name if it begins otherwise.
    let other = folder.0.join("weights");
    std::fs::rename(&path, &other).expect("renamed");
    assert_eq!(inspect(&other).expect("sound").format, "onnx");
    let mut parts = fields(&Model::decoder().bytes());
    parts.rotate_left(1);
    let turned = parts.iter().fold(M::default(), |model, (field, value)| match value {
        Ok(bytes) => model.bytes(*field, bytes),
        Err(number) => model.number(*field, *number),
    });
    let path = folder.write("turned.ONNX", &turned.0);
    assert_eq!(inspect(&path).expect("sound").format, "onnx");

    folder.write("config.json", br#"{"model_type": "unheard of", "vocab_size": 10}"#);
    folder.write("tokenizer_config.json", br#"{"bos_token": "<s>"}"#);
    let found = TokenizerFile::open(&folder.0).expect("sound");
    let TokenizerFile::HuggingFace { path: tokenizer, sidecars } = found else { panic!("{found:?}") };
    assert_eq!((tokenizer, sidecars.bos.as_deref()), (folder.0.join("tokenizer.json"), Some("<s>")));
    // A folder with weights of another kind stays what it was.
    folder.write("model.safetensors", b"x");
    assert!(inspect(&folder.0).expect_err("a checkpoint").to_string().contains("model.safetensors"));
}

#[test]
fn a_licence_and_a_template_are_told() {
    let folder = Folder::new("card");
    folder.write("README.md", b"---\nlicense: apache-2.0\n---\n");
    folder.write("chat_template.jinja", b"{{ messages }}");
    let info = Onnx::open(&Model::decoder().write(&folder.0)).expect("sound").info();
    assert_eq!(
        (info.license.as_deref(), info.chat_templates.default.as_deref()),
        (Some("apache-2.0"), Some("{{ messages }}"))
    );
}

#[test]
fn the_runtimes_own_operators_need_no_version() {
    let gelu = Model::decoder().change(|model| model.opsets.retain(|(domain, _)| domain.is_empty()));
    let gelu = gelu.node(node("com.microsoft", "Gelu", &["hidden"], &["unused"]));
    open(&gelu, "no opset");
}

#[test]
fn positions_end_with_their_table() {
    let positions = |model: &Model, name: &str| open(model, name).info().context_trained;
    let ids = |name: &str, count: u64| tensor(name, I64, &[1, count], &vec![0; 8 * count as usize]);
    let table = |model: Model, index: &str| {
        model.tensor(floats("table", &[5, 24])).node(op("Gather", &["table", index], &["placed"]))
    };
    // As `torch.onnx` writes BERT: the first of a list of positions, which is in the file.
    let sliced = Model::encoder().tensor(ids("list", 5)).node(op("Slice", &["list", "from", "to"], &["sliced"]));
    assert_eq!(positions(&table(sliced, "sliced"), "positions in a list"), 5);
    // As its newer exporter does: counted.
    let counted = Model::encoder().node(op("Range", &["zero", "length", "one"], &["counted"]));
    let counted = counted.node(op("Unsqueeze", &["counted", "axis"], &["row"]));
    assert_eq!(positions(&table(counted.clone(), "row"), "positions counted"), 5);
    let given = Model::encoder().input(port("position_ids", I64, &TOKENS));
    assert_eq!(positions(&table(given, "position_ids"), "positions given"), 5);
    // In fewer bits, and made wide again by one number for each row.
    let packed = Model::encoder().tensor(tensor("packed", 3, &[5, 24], &[0; 120])).tensor(floats("scales", &[5, 1]));
    let packed = packed.node(op("Cast", &["packed"], &["cast"])).node(op("Mul", &["cast", "scales"], &["wide"]));
    let packed = packed.input(port("position_ids", I64, &TOKENS));
    let packed = packed.node(op("Gather", &["wide", "position_ids"], &["placed"]));
    assert_eq!(positions(&packed, "positions in fewer bits"), 5);
    // The smaller of this and what the configuration says.
    let config = json!({ "max_position_embeddings": 3 });
    let fewer = open_with(&table(counted.clone(), "row"), "positions said", &[("config.json", config)]);
    assert_eq!(fewer.info().context_trained, 3);

    // Zeros for the kinds of tokens, as long as the list of positions; tokens; what is computed from positions.
    let kinds = Model::encoder().tensor(ids("zeros", 512)).node(op("Slice", &["zeros", "from", "to"], &["sliced"]));
    assert_eq!(positions(&table(kinds, "sliced"), "kinds"), 0);
    assert_eq!(positions(&table(Model::encoder(), "input_ids"), "tokens"), 0);
    let buckets = counted.node(op("Sub", &["row", "column"], &["apart"]));
    assert_eq!(positions(&table(buckets, "apart"), "buckets"), 0);
}

#[test]
fn a_model_that_counts_from_its_padding_has_fewer_positions_than_rows() {
    for (config, expected) in [
        (json!({ "model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1 }), 512),
        (json!({ "model_type": "xlm-roberta", "max_position_embeddings": 514 }), 512),
        (json!({ "model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1 }), 512),
        (json!({ "model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0 }), 512),
    ] {
        let read =
            open_with(&Model::encoder(), &format!("padding of {}", config["model_type"]), &[("config.json", config)]);
        assert_eq!(read.info().context_trained, expected);
    }
}

#[test]
fn rows_of_the_embedding_are_found() {
    let rows = |model: &Model, name: &str| decoder(&open(model, name)).embedded;
    assert_eq!(rows(&Model::decoder(), "rows"), Some(10));
    // Fewer than there are scores: what could be chosen could not be given again.
    let fewer = Model::decoder().change(|model| model.tensors[0] = floats("embedding", &[8, 4]));
    let read = open(&fewer, "rows fewer");
    assert_eq!((decoder(&read).embedded, decoder(&read).vocabulary, decoder(&read).rows()), (Some(8), 10, 8));
    // By way of operators that change no token, and in a branch.
    let gather = |tokens: &str| op("Gather", &["embedding", tokens], &["hidden"]);
    let turned = Model::decoder().change(|model| {
        model.nodes[0] = op("Reshape", &["input_ids", "shape"], &["flat"]);
        model.nodes.insert(1, gather("flat"));
    });
    assert_eq!(rows(&turned, "rows flat"), Some(10));
    let inner = M::default().message(1, &op("Gather", &["small", "input_ids"], &["other"]));
    let branched = Model::decoder().tensor(floats("small", &[6, 4]));
    let branched = branched.node(branch(op("If", &["condition"], &["y"]), &inner));
    assert_eq!(rows(&branched, "rows inside"), Some(6));
    // Other tables are none of tokens.
    let positions = Model::decoder().tensor(floats("table", &[5, 4]));
    let positions = positions.node(op("Gather", &["table", "positions"], &["placed"]));
    assert_eq!(rows(&positions, "rows of positions"), Some(10));
}
