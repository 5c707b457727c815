//! What cannot be loaded or asked for, and files that change under a model.

use std::fs::OpenOptions;
use std::path::Path;

use trillm_core::{
    Class, Coded, Engine, Error, GraphOptions, LoadOptions, Model, Optimization, Output, Pooling, Quantize, Result,
    SessionOptions, Token,
};
use trillm_onnx::Onnx;
use trillm_testkit::models::OnnxForm;
use trillm_testkit::stories::{run, small};

use crate::common::{load, tiny};

fn graph(graph: GraphOptions) -> LoadOptions {
    LoadOptions { graph, ..LoadOptions::default() }
}

fn scores(model: &dyn Model) -> Result<Vec<f32>> {
    run(&mut *model.session(&small())?, 0, 0, &[Token(1), Token(40), Token(41)])
}

fn close(one: &[f32], other: &[f32]) {
    assert_eq!(one.len(), other.len());
    let apart = one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "{apart} apart");
}

#[test]
fn info_says_how_the_weights_are_held() {
    let (folder, _) = tiny(OnnxForm::Shared);
    let held = |options: &LoadOptions| {
        let model = load(folder.path(), options).expect("the model loads");
        let info = model.info().clone();
        assert_eq!((info.engine, info.device.as_str(), info.format), ("onnx", "cpu", "onnx"));
        info.weights
    };
    assert_eq!(held(&LoadOptions::default()), "mapped, and copied by the runtime");
    assert_eq!(held(&LoadOptions { mmap: false, ..LoadOptions::default() }), "read, and copied by the runtime");
}

#[test]
fn what_was_read_is_what_is_loaded() {
    let (folder, _) = tiny(OnnxForm::Grown);
    let expected = scores(&*load(folder.path(), &LoadOptions::default()).expect("the model loads")).expect("a step");
    let file = trillm_formats::open(folder.path()).expect("a sound model");
    for name in ["config.json", "tokenizer_config.json", "generation_config.json"] {
        std::fs::write(folder.path().join(name), b"{").expect("written");
    }
    std::fs::remove_file(folder.path().join("model.onnx")).expect("removed");
    let model = Onnx.load(file, &LoadOptions::default()).expect("the model loads");
    assert_eq!(scores(&*model).expect("a step"), expected);
}

#[test]
fn every_way_to_run_a_graph_gives_the_same_scores() {
    for form in [OnnxForm::Grown, OnnxForm::Shared] {
        let (folder, _) = tiny(form);
        let scores =
            |options| scores(&*load(folder.path(), &graph(options)).expect("the model loads")).expect("a step");
        let expected = scores(GraphOptions::default());
        for optimization in [Optimization::Disabled, Optimization::Basic, Optimization::Extended] {
            close(&expected, &scores(GraphOptions { optimization, ..GraphOptions::default() }));
        }
        close(&expected, &scores(GraphOptions { prepack: false, ..GraphOptions::default() }));
        let parallel = GraphOptions { parallel: true, inter_threads: Some(2), ..GraphOptions::default() };
        close(&expected, &scores(parallel));
        let named = GraphOptions { providers: vec!["CPUExecutionProvider".into()], ..GraphOptions::default() };
        close(&expected, &scores(named));
    }
}

#[test]
fn what_it_cannot_do_is_an_error() {
    let (folder, _) = tiny(OnnxForm::Grown);
    let refused = |options: &LoadOptions| load(folder.path(), options).map(|_| ()).expect_err("not supported");
    let adapter = LoadOptions { lora: vec![("adapter".into(), 1.0)], ..LoadOptions::default() };
    let quantized = LoadOptions { quantize: Some(Quantize::Q8_0), ..LoadOptions::default() };
    for options in [LoadOptions { gpu_layers: Some(1), ..LoadOptions::default() }, adapter, quantized] {
        assert!(matches!(refused(&options), Error::Unsupported { .. }));
    }
    let absent = GraphOptions { providers: vec!["MagicExecutionProvider".into()], ..GraphOptions::default() };
    let error = refused(&graph(absent)).to_string();
    assert!(error.contains("MagicExecutionProvider") && error.contains("CPUExecutionProvider"), "{error}");

    let model = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let wrong = |options: SessionOptions| model.session(&options).map(|_| ()).expect_err("not supported");
    let embedding = SessionOptions { output: Output::Embedding(vec![Pooling::Mean]), ..small() };
    assert!(matches!(wrong(embedding), Error::Unsupported { .. }));
    assert!(matches!(wrong(SessionOptions { context: Some(513), ..small() }), Error::InvalidParameter { .. }));
    let (encoder, _) = tiny(OnnxForm::Encoder);
    let model = load(encoder.path(), &LoadOptions::default()).expect("the model loads");
    assert!(matches!(model.session(&small()).map(|_| ()), Err(Error::EmbedsOnly { .. })));
}

#[test]
fn another_library_than_the_first_is_an_error() {
    let (folder, _) = tiny(OnnxForm::Grown);
    load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let elsewhere = |path: &Path| {
        let options = graph(GraphOptions { library: Some(path.into()), ..GraphOptions::default() });
        load(folder.path(), &options).map(|_| ()).expect_err("not the library that is loaded")
    };
    for path in [Path::new("/nonexistent/libonnxruntime.so"), folder.path()] {
        assert!(matches!(elsewhere(path), Error::NoLibrary { engine: "onnx", .. }));
    }
}

#[test]
fn a_tokenizer_may_come_from_elsewhere() {
    let (folder, graph) = tiny(OnnxForm::Grown);
    let alone = tempfile::tempdir().expect("a folder");
    std::fs::copy(graph, alone.path().join("model.onnx")).expect("copied");
    let error = load(alone.path(), &LoadOptions::default()).map(|_| ()).expect_err("no tokenizer");
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    assert_eq!(error.kind(), (Class::NotFound, "missing_tokenizer"));
    let options = LoadOptions { tokenizer: Some(folder.path().into()), ..LoadOptions::default() };
    let model = load(alone.path(), &options).expect("the model loads");
    scores(&*model).expect("a step");
}

#[test]
fn a_file_that_changes_ends_with_an_error() {
    let (folder, _) = tiny(OnnxForm::Shared);
    let mapped = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let read = load(folder.path(), &LoadOptions { mmap: false, ..LoadOptions::default() }).expect("the model loads");
    let before = scores(&*mapped).expect("nobody wrote");
    let weights = folder.path().join("model.onnx.data");
    let file = OpenOptions::new().append(true).open(weights).expect("weights");
    file.set_len(file.metadata().expect("weights").len() - 1).expect("shorter");
    let error = scores(&*mapped).expect_err("somebody wrote");
    assert!(matches!(&error, Error::Changed { engine: "onnx", .. }), "{error}");
    assert_eq!(scores(&*read).expect("a copy does not change"), before);
}
