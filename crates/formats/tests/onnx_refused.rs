//! ONNX models that must not reach the runtime, or that nothing here can run.

mod common;
#[path = "common/onnx.rs"]
mod onnx;

use common::Folder;
use onnx::*;
use serde_json::json;
use trillm_formats::inspect;
use trillm_formats::onnx::Onnx;

/// Asserts that a file is refused at once with this code and these words.
#[track_caller]
fn refused(bytes: &[u8], code: &str, words: &str) {
    let folder = Folder::new(&format!("refused-{:?}", std::thread::current().id()));
    let path = folder.write("model.onnx", bytes);
    common::refused(|| Onnx::open(&path), code, words);
}

#[track_caller]
fn no(model: &Model, code: &str, words: &str) {
    refused(&model.bytes(), code, words);
}

fn changed(change: impl FnOnce(&mut Model)) -> Model {
    Model::decoder().change(change)
}

/// A decoder with one more node.
fn beside(node: M) -> Model {
    Model::decoder().node(node)
}

#[test]
fn what_is_no_onnx_model() {
    refused(b"", "unknown_format", "found an empty file");
    refused(b"version https://git-lfs.github.com/spec/v1\n", "unknown_format", "Git LFS pointer");
    refused(b"<!DOCTYPE html><html>", "unknown_format", "HTML page");
    refused(b"{\"a\": 1}", "unknown_format", "JSON text");
    refused(&[0x80, 0xff, 0xff], "truncated", "ends inside");
    refused(&[0x08, 0x08], "malformed", "no graph");
    let folder = Folder::new("named");
    let path = folder.write("model.onnx", b"version https://git-lfs.github.com/spec/v1\n");
    common::refused(|| inspect(&path), "unknown_format", "Git LFS pointer");
}

#[test]
fn files_cut_anywhere() {
    // The opset is the last field, and the model needs it.
    let whole = Model::cached().change(|model| model.opsets.truncate(1)).bytes();
    for length in 1..whole.len() {
        let folder = Folder::new("cut");
        let path = folder.write("model.onnx", &whole[..length]);
        assert!(Onnx::open(&path).is_err(), "{length}");
    }
}

#[test]
fn what_protobuf_forgives() {
    let whole = Model::decoder().bytes();
    let and = |more: M| [whole.clone(), more.0].concat();
    refused(&and(Model::decoder().graph().wrap(7)), "malformed", "field 7 twice");
    refused(&and(M::default().number(1, 8)), "malformed", "field 1 twice");
    refused(&and(M::default().number(7, 1)), "malformed", "field 7 of wire type 0");
    refused(&and(M::default().bytes(60, b"")), "malformed", "not read here");
    refused(&and(M::default().message(20, &M::default())), "unsupported", "training_info");
    let graph = |more: M| changed(|model| model.more[0] = more);
    no(&graph(M::default().bytes(70, b"")), "malformed", "field 70 of the graph");
    no(&graph(M::default().message(15, &M::default())), "malformed", "a sparse tensor");
    no(&graph(M::default().number(5, 1)), "malformed", "field 5 of wire type 0");
    no(&beside(op("Add", &[], &["x"]).text(4, "Sub")), "malformed", "a second one");
    no(&beside(op("Add", &[], &["x"]).number(4, 3)), "malformed", "a number, expected bytes");
    no(&beside(op("Add", &[], &["x"]).bytes(1, b"\xff\xfe")), "malformed", "bytes that are not text");
    no(&beside(op("Add", &["a\0b"], &["x"])), "malformed", "bytes that are not text");
    no(&beside(op("Add", &["a".repeat(5000).as_str()], &["x"])), "over_limit", "at most 4096");
    // 2^32 + 1, of which protobuf keeps 1.
    let wide = M::default().number(2, (1 << 32) + 1).text(8, "wide");
    no(&Model::decoder().tensor(wide), "malformed", "a number of 32 bits");
}

#[test]
fn long_names_make_short_messages() {
    let long = "x".repeat(4000);
    no(&Model::decoder().input(port(&long, F32, &TOKENS)), "unsupported", "not known here");
    no(&beside(node(&long, &long, &[], &[&long])), "unsupported", "an operator of the domain");
    no(&Model::decoder().tensor(tensor(&long, 8, &[1], &[0])), "invalid_tensor", "STRING");
    no(&changed(|model| model.outputs[0] = port(&long, F32, &[])), "unsupported", "the outputs");
    no(&beside(op("Add", &[], &[&long])).node(op("Add", &[], &[&long])), "malformed", "xxx");
}

#[test]
fn versions_that_are_too_old() {
    no(&changed(|model| model.ir = 2), "malformed", "ir_version 2, expected ir_version 3 or later");
    no(&changed(|model| model.opsets.clear()), "unsupported", "a domain that opset_import does not name");
}

#[test]
fn operators_of_strangers() {
    let custom = node("ai.onnx.contrib", "BertTokenizer", &[], &["x"]);
    no(&beside(custom.clone()), "unsupported", "\"ai.onnx.contrib\"");
    no(&beside(custom), "unsupported", "ai.onnx.contrib::BertTokenizer");
    no(&beside(node("ai.onnx.ml", "TreeEnsemble", &[], &["x"])), "unsupported", "\"ai.onnx.ml\"");
    for name in ["EPContext", "PythonOp", "BeamSearch", "GreedySearch"] {
        no(&beside(node("com.microsoft", name, &[], &["x"])), "unsupported", name);
    }
    let inner = M::default().message(1, &node("evil", "Run", &[], &["x"]));
    no(&beside(branch(op("If", &["c"], &["y"]), &inner)), "unsupported", "\"evil\"");
    let deep = M::default().message(1, &branch(op("If", &["c"], &["y"]), &inner));
    no(&beside(branch(op("If", &["c"], &["y"]), &deep)), "unsupported", "\"evil\"");
}

#[test]
fn functions_that_do_more_than_compute() {
    let opsets = [("", 18), ("lib", 1), ("com.microsoft", 1)];
    let with_functions = |functions: &[M]| {
        let model = beside(node("lib", "f", &["x"], &["y"]));
        model.change(|model| {
            model.opsets.push(("lib".into(), 1));
            model.functions = functions.to_vec();
        })
    };
    let f = |nodes: &[M]| function("lib", "f", &opsets, nodes);
    let call = |name: &str| node("lib", name, &["x"], &["y"]);
    no(&with_functions(&[]), "unsupported", "\"lib\"");
    no(&with_functions(&[f(&[node("evil", "Run", &[], &[])])]), "unsupported", "\"evil\"");
    no(&with_functions(&[f(&[node("com.microsoft", "EPContext", &[], &[])])]), "unsupported", "another file");
    no(&with_functions(&[f(&[]), f(&[])]), "malformed", "lib::f");
    no(&with_functions(&[f(&[call("f")])]), "unsupported", "calls itself");
    let g = function("lib", "g", &opsets, &[call("f")]);
    no(&with_functions(&[f(&[call("g")]), g]), "unsupported", "calls itself");
    no(&with_functions(&[function("lib", "f", &[("", 18)], &[call("f")])]), "unsupported", "does not name");
    // The runtime adds versions of its own operators to graphs and not to functions.
    let gelu = node("com.microsoft", "Gelu", &["x"], &["y"]);
    no(&with_functions(&[function("lib", "f", &[("", 18)], &[gelu])]), "unsupported", "does not name");
    no(&with_functions(&[f(&[]).text(13, "second")]), "unsupported", "overload");
    // A function under the name of an operator would be taken for it.
    let mask = function("com.microsoft", "GroupQueryAttention", &opsets, &[]);
    no(&changed(|model| model.functions.push(mask)), "unsupported", "a domain of operators that are known");
    // Each calls the next twice: 2^40 nodes.
    let name = |number: usize| if number == 0 { "f".to_owned() } else { format!("f{number}") };
    let doubling = |count: usize| -> Vec<M> {
        let body =
            |number| if number + 1 == count { vec![] } else { vec![call(&name(number + 1)), call(&name(number + 1))] };
        (0..count).map(|number| function("lib", &name(number), &opsets, &body(number))).collect()
    };
    no(&with_functions(&doubling(30)), "over_limit", "the functions it calls");
    no(&with_functions(&doubling(40)), "over_limit", "the depth of functions");
    let folder = Folder::new("doubling");
    Onnx::open(&with_functions(&doubling(10)).write(&folder.0)).expect("sound");
}

#[test]
fn tensors_that_are_not_what_they_say() {
    let with = |tensor: M| Model::decoder().tensor(tensor);
    let t = |element, shape: &[u64], length| tensor("t", element, shape, &vec![0; length]);
    no(&with(t(F32, &[3], 11)), "invalid_tensor", "11 bytes");
    no(&with(t(F32, &[3], 2000)), "invalid_tensor", "2000 bytes");
    no(&with(t(22, &[5], 2)), "invalid_tensor", "2 bytes");
    no(&with(t(8, &[1], 1)), "invalid_tensor", "STRING");
    no(&with(t(17, &[1], 1)), "invalid_tensor", "FLOAT8E4M3FN");
    no(&with(t(23, &[2], 1)), "invalid_tensor", "FLOAT4E2M1");
    no(&with(t(14, &[1], 8)), "invalid_tensor", "COMPLEX64");
    no(&with(t(99, &[1], 1)), "invalid_tensor", "99");
    no(&with(t(F32, &[1 << 32, 1 << 32, 0], 0)), "invalid_tensor", "the shape");
    no(&with(t(F32, &[1 << 62], 0)), "invalid_tensor", "the shape");
    no(&with(t(F32, &[u64::MAX], 0)), "invalid_tensor", "[-1]");
    no(&with(t(F32, &[1; 17], 4)), "malformed", "16 dimensions at most");
    no(&with(t(F32, &[1], 4).bytes(4, &[0; 4])), "invalid_tensor", "several fields");
    no(&with(t(F32, &[1], 4).bytes(9, &[0; 4])), "malformed", "a second one");
    no(&with(tensor("t", F32, &[256], &[0; 1024]).bytes(9, &[0; 1024])), "malformed", "raw_data twice");
    no(&with(tensor("t", F32, &[256], &[0; 1024]).bytes(9, &[0; 4])), "invalid_tensor", "several fields");
    no(&with(M::default().number(1, 3).number(2, F32).bytes(7, &[1, 2, 3])), "invalid_tensor", "field 7");
    no(&with(M::default().number(1, 3).number(2, I64).bytes(7, &[1, 2])), "invalid_tensor", "2 numbers");
    no(&with(M::default().number(1, 3).number(2, I64).bytes(7, &[1, 2, 0x80])), "malformed", "cut off");
    no(&with(M::default().number(2, F32).message(3, &M::default())), "malformed", "segment");
    no(&with(floats("embedding", &[1])), "malformed", "embedding");
    no(&beside(op("Add", &[], &["head"])), "malformed", "head");
    no(&beside(op("Add", &[], &["hidden"])), "malformed", "hidden");
    no(&beside(op("Add", &[], &["input_ids"])), "malformed", "input_ids");
    no(&Model::decoder().input(port("input_ids", I64, &TOKENS)), "malformed", "input_ids");
    no(&Model::decoder().output(port("logits", F32, &TOKENS)), "malformed", "logits");
}

#[test]
fn paths_inside_of_nodes() {
    let hidden = external("t", F32, &[1], &[("location", "data.bin")]);
    let attribute =
        |field, value: &M| op("Constant", &[], &["x"]).message(5, &M::default().text(1, "value").message(field, value));
    no(&beside(attribute(5, &hidden)), "malformed", "in another file");
    no(&beside(attribute(10, &hidden)), "malformed", "in another file");
    no(&beside(attribute(22, &M::default())), "malformed", "a sparse tensor");
    no(&beside(branch(op("If", &["c"], &["y"]), &M::default().message(5, &hidden))), "malformed", "in another file");
    let empty = external("t", F32, &[0], &[("location", "data.bin")]);
    no(&beside(attribute(5, &empty)), "malformed", "in another file");
    let body = function("lib", "f", &[("", 18)], &[attribute(5, &hidden)]);
    no(&changed(|model| model.functions.push(body)), "malformed", "in another file");
    let default = function("lib", "f", &[], &[]).message(11, &M::default().text(1, "a").message(5, &hidden));
    no(&changed(|model| model.functions.push(default)), "malformed", "in another file");
}

#[test]
fn limits_are_kept() {
    let mut graph = op("Add", &["a"], &["b"]).wrap(1);
    for _ in 0..9 {
        graph = branch(op("If", &["c"], &["d"]), &graph).wrap(1);
    }
    no(&changed(|model| model.more[0] = graph), "over_limit", "the depth of graphs");
    let many = |count, part: &M| changed(|model| model.more[0] = M(part.0.repeat(count)));
    no(&many(200_001, &M::default().message(1, &M::default())), "over_limit", "the nodes of all graphs");
    no(&many(500_001, &M::default().text(13, "")), "over_limit", "the parts of the graph");
    let names = M(M::default().text(1, "").0.repeat(4_000_001));
    no(&beside(names), "over_limit", "names, attributes and tensors");
    // A node of 257 MiB, all of it a hole in the file.
    let folder = Folder::new("large");
    let length = 257u64 << 20;
    let text = |length: u64| M::default().number(0, length).0[1..].to_vec();
    let head = [&[0x0a][..], &text(length)].concat();
    let start = [&[0x08, 8, 0x3a][..], &text(length + head.len() as u64), &head].concat();
    let path = folder.write("model.onnx", &start);
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(start.len() as u64 + length).expect("a longer file");
    common::refused(|| Onnx::open(&path), "over_limit", "without its weights");
}

#[test]
fn inputs_that_nothing_here_gives() {
    let and = |name: &str, element, shape: &[D]| Model::decoder().input(port(name, element, shape));
    let states = [D::S("batch"), D::S("sequence"), D::N(4)];
    no(&and("encoder_hidden_states", F32, &states), "unsupported", "encoder-decoder");
    no(&and("past_key_values.0.encoder.key", F32, &states), "unsupported", "encoder-decoder");
    no(&and("pixel_values", F32, &states), "unsupported", "\"pixel_values\": found an input that takes images");
    no(&and("input_features", F32, &states), "unsupported", "takes sound");
    no(&and("inputs_embeds", F32, &states), "unsupported", "takes embeddings in place of tokens");
    no(&and("seqlens_k", I64, &[]), "unsupported", "another kind of cache");
    no(&and("beam_width", I64, &[]), "unsupported", "another kind of cache");
    let state = "\"past_conv.0\": found an input that is the state of a convolution or recurrence, as LFM2's";
    no(&and("past_conv.0", F32, &states), "unsupported", state);
    for name in ["past_ssm_states.3", "past_key_values.0.conv", "cache.conv.0", "conv1_in"] {
        no(&and(name, F32, &states), "unsupported", "the state of a convolution or recurrence");
    }
    no(&and("conversation", I64, &[]), "unsupported", "is not known here");
    no(&and("surprise", I64, &[]), "unsupported", "\"surprise\": found an input that is not known here");
    no(&changed(|model| model.inputs.clear()), "unsupported", "no input for tokens");
}

#[test]
fn inputs_of_another_shape_or_type() {
    let and = |name: &str, element, shape: &[D]| Model::decoder().input(port(name, element, shape));
    let four = [D::S("a"), D::N(1), D::S("b"), D::S("c")];
    no(&and("attention_mask", F32, &four), "unsupported", "numbers of type F32, expected INT64 or INT32");
    no(&and("attention_mask", I64, &four), "unsupported", "4 dimensions, expected 2");
    no(&and("position_ids", I64, &[D::N(3), D::S("b"), D::S("s")]), "unsupported", "3 dimensions, expected 2");
    no(&and("position_ids", I64, &[D::N(1), D::S("s")]), "unsupported", "fixed at 1");
    no(&and("use_cache_branch", I64, &[D::N(1)]), "unsupported", "expected BOOL");
    no(&and("use_cache_branch", 8, &[D::N(1)]), "unsupported", "STRING");
    no(&changed(|model| model.inputs[0] = port("input_ids", I64, &[D::N(1), D::N(128)])), "unsupported", "fixed at 1");
    let shapeless =
        M::default().text(1, "input_ids").message(2, &M::default().message(1, &M::default().number(1, I64)));
    no(&changed(|model| model.inputs[0] = shapeless), "unsupported", "unknown shape");
    let sequence = M::default().text(1, "input_ids").message(2, &M::default().message(4, &M::default()));
    no(&changed(|model| model.inputs[0] = sequence), "unsupported", "no tensor");
}

#[test]
fn outputs_that_are_no_scores() {
    let scores = |element, shape: &[D]| changed(|model| model.outputs[0] = port("logits", element, shape));
    let (b, s) = (D::S("batch"), D::S("sequence"));
    no(&scores(F32, &[b, D::N(2)]), "unsupported", "a classifier");
    no(&scores(BF16, &[b, s, D::N(10)]), "unsupported", "BF16, with which ONNX Runtime cannot compute on a CPU");
    no(&scores(I64, &[b, s, D::N(10)]), "unsupported", "INT64, expected F32 or F16");
    no(&scores(F32, &[D::N(1), s, D::N(10)]), "unsupported", "a fixed batch or sequence");
    no(&scores(F32, &[b, D::N(7), D::N(10)]), "unsupported", "a fixed batch or sequence");
    no(&scores(F32, &[b]), "unsupported", "1 dimensions, expected 3");
    let unknown = changed(|model| {
        model.outputs[0] = port("logits", F32, &[b, s, s]);
        model.nodes[1] = op("Softmax", &["hidden"], &["logits"]);
    });
    no(&unknown, "unsupported", "an unknown number of scores");
    no(&changed(|model| model.outputs.clear()), "unsupported", "the graph: found the outputs");
    let other = |name: &str, shape: &[D]| changed(|model| model.outputs[0] = port(name, F32, shape));
    no(&other("start_logits", &[b, s]), "unsupported", "start_logits");
    no(&other("last_hidden_state", &[b, s, s]), "unsupported", "unknown width");
    no(&other("last_hidden_state", &[b, D::N(8), D::N(24)]), "unsupported", "fixed");
    let kept = other("last_hidden_state", &[b, s, D::N(24)]).input(port("use_cache_branch", BOOL, &[D::N(1)]));
    no(&kept, "unsupported", "an input of a decoder");
    no(&Model::cached().change(|model| drop(model.outputs.remove(0))), "unsupported", "without \"logits\"");

    let folder = Folder::new("masked");
    folder.write("config.json", json!({ "architectures": ["BertForMaskedLM"] }).to_string().as_bytes());
    let path = Model::decoder().write(&folder.0);
    common::refused(|| Onnx::open(&path), "unsupported", "the scores of a BertForMaskedLM");
}

#[test]
fn caches_that_do_not_match() {
    let shape = [D::S("b"), D::N(2), D::S("past"), D::N(8)];
    let past = |model: Model| model.input(port("past_key_values.1.key", F32, &shape));
    let present = |model: Model, element| model.output(port("present.1.key", element, &shape));
    no(&past(Model::cached()), "unsupported", "earlier positions without an output");
    no(&present(Model::cached(), F32), "unsupported", "a cache that is no input");
    no(&present(past(Model::cached()), F16), "unsupported", "those of \"past_key_values.1.key\", F32");
    no(&present(past(Model::shared()), F32), "unsupported", "2 of 3 tensors that are inputs and outputs");
    let with = |shape: &[D]| {
        Model::decoder().input(port("past_key_values.0.key", F32, shape)).output(port(
            "present.0.key",
            F32,
            &[D::S("x"); 4],
        ))
    };
    let (b, p) = (D::S("b"), D::S("past"));
    no(&with(&[b, D::N(2), D::N(128), D::N(8)]), "unsupported", "its length fixed at 128");
    no(&with(&[D::N(1), D::N(2), p, D::N(8)]), "unsupported", "its batch fixed at 1");
    no(&with(&[b, p, D::N(8)]), "unsupported", "3 dimensions");
    no(&with(&[b, b, p, D::N(8)]), "unsupported", "an unknown number of heads");
    no(&with(&[b, D::N(2), p, b]), "unsupported", "an unknown width of a head");
    no(&with(&[b, D::N(1 << 40), p, D::N(8)]), "unsupported", "an unknown number of heads");
    let bytes =
        Model::decoder().input(port("past_0", U8, &[D::S("x"); 5])).output(port("present_0", U8, &[D::S("x"); 5]));
    no(&bytes, "unsupported", "INT8, expected F32 or F16");
    let joined = |first| [first, b, D::N(2), p, D::N(8)];
    let both = |first| {
        Model::decoder().input(port("past_0", F32, &joined(first))).output(port("present_0", F32, &joined(first)))
    };
    no(&both(D::N(3)), "unsupported", "the length 2 first");
}

#[test]
fn attention_that_the_runtime_would_refuse() {
    let heads = |width: u64, rotary: i64| {
        let model = Model::attention(&[("num_heads", 4), ("kv_num_heads", 2), ("do_rotary", rotary)]);
        model.change(|model| model.tensors[2] = floats("qkv_weight", &[4, 8 * width]))
    };
    no(&heads(8, 1), "unsupported", "found the head size 8, expected a multiple of 16");
    no(&heads(24, 1), "unsupported", "the head size 24, expected a multiple of 16");
    no(&heads(12, 0), "unsupported", "the head size 12, expected a multiple of 8");
    for width in [8, 24, 40] {
        let folder = Folder::new("heads");
        Onnx::open(&heads(width, 0).write(&folder.0)).expect("sound");
    }
    no(&Model::attention(&[("num_heads", 5), ("kv_num_heads", 2)]), "unsupported", "5 heads");
    no(&Model::attention(&[("num_heads", 4), ("kv_num_heads", 4)]), "unsupported", "a cache of 2");
    no(&Model::attention(&[("num_heads", -4), ("kv_num_heads", 2)]), "unsupported", "num_heads Some(-4)");
    let hidden = node("com.microsoft", "GroupQueryAttention", &[], &["x"]);
    let inner = M::default().message(1, &hidden);
    no(&beside(branch(op("If", &["c"], &["y"]), &inner)), "unsupported", "in a branch or a function");
    let body = function("lib", "f", &[("com.microsoft", 1)], &[hidden]);
    no(&changed(|model| model.functions.push(body)), "unsupported", "in a branch or a function");
}

#[test]
fn small_files_that_are_wrong() {
    let cases = [
        ("config.json", "[]", "malformed", "expected an object"),
        ("config.json", r#"{"hidden_size": "wide"}"#, "invalid_key", "hidden_size"),
        ("genai_config.json", r#"{"model": 1}"#, "invalid_key", "model holds 1"),
        ("genai_config.json", r#"{"model": {"eos_token_id": ["a"]}}"#, "invalid_key", "eos_token_id"),
        ("genai_config.json", "{", "malformed", "genai_config.json"),
    ];
    for (name, text, code, words) in cases {
        let folder = Folder::new("small");
        folder.write(name, text.as_bytes());
        let path = Model::decoder().write(&folder.0);
        common::refused(|| Onnx::open(&path), code, words);
    }
}

#[test]
fn attention_over_a_cache_that_is_not_its_own() {
    let read = Model::shared().node(op("Shape", &["past_key_values.0.key"], &["length"]));
    no(&read, "unsupported", "a cache that other operators read");
    // What the graph gives back is not the operator's: it may have been given a copy of its cache.
    let inputs = ["hidden", "", "", "key", "value", "lengths", "total"];
    let attention = with(node("com.microsoft", "GroupQueryAttention", &inputs, &["attended"]), &[("num_heads", 4)]);
    no(&Model::cached().node(attention), "unsupported", "0 of 2 tensors that are inputs and outputs");
}

#[test]
fn an_input_that_is_an_output() {
    let model = Model::cached().change(|model| {
        let name = "past_key_values.0.key";
        let shape = [D::S("batch"), D::N(2), D::S("past"), D::N(8)];
        model.outputs.push(port(name, F32, &shape));
    });
    no(&model, "malformed", "input and output");
}

#[test]
fn operators_that_end_the_process() {
    for name in ["Loop", "Scan", "DFT", "Unique"] {
        no(&beside(op(name, &["hidden"], &["out"])), "unsupported", "no language model needs");
    }
    no(&beside(node("com.microsoft", "AttnLSTM", &["hidden"], &["out"])), "unsupported", "no language model needs");
    no(&beside(op("Sum", &["hidden", ""], &["out"])), "unsupported", "an input that is left out");
    let gather = with(op("GatherND", &["hidden", "input_ids"], &["out"]), &[("batch_dims", u64::MAX as i64)]);
    no(&beside(gather), "unsupported", "a negative batch_dims");
}
