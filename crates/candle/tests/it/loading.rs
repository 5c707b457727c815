//! What cannot be loaded or asked for, and files that change under a model.

use std::fs::OpenOptions;
use std::path::PathBuf;

use trillm_candle::Candle;
use trillm_core::{
    CacheType, Class, Coded, Engine, Error, LoadOptions, Model, Output, Pooling, Quantize, SessionOptions, Token,
};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::stories::{run, small};

use crate::common::load;

fn tiny() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    TinyLlama::default().write_huggingface(folder.path(), TensorType::Bf16).expect("the model is written");
    let weights = folder.path().join("model.safetensors");
    (folder, weights)
}

#[test]
fn info_says_how_the_weights_are_held() {
    let (folder, _) = tiny();
    let held = |options: &LoadOptions| {
        let model = load(folder.path(), options).expect("the model loads");
        let info = model.info();
        assert_eq!((info.engine, info.device.as_str()), ("candle", "cpu"));
        (info.weights, info.quantization.clone())
    };
    assert_eq!(held(&LoadOptions::default()), ("mapped", "BF16".into()));
    assert_eq!(held(&LoadOptions { mmap: false, ..LoadOptions::default() }), ("read", "BF16".into()));
    let quantized = LoadOptions { quantize: Some(Quantize::Q8_0), ..LoadOptions::default() };
    assert_eq!(held(&quantized), ("quantized into memory", "BF16 quantized to q8_0".into()));
}

#[test]
fn what_it_cannot_do_is_an_error() {
    let (folder, _) = tiny();
    let refused = |options: &LoadOptions| load(folder.path(), options).map(|_| ()).expect_err("not supported");
    let gpu = LoadOptions { gpu_layers: Some(1), ..LoadOptions::default() };
    let adapter = LoadOptions { lora: vec![("adapter".into(), 1.0)], ..LoadOptions::default() };
    for options in [gpu, adapter] {
        assert!(matches!(refused(&options), Error::Unsupported { .. }));
    }
    let model = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let wrong = |options: SessionOptions| model.session(&options).map(|_| ()).expect_err("not supported");
    assert!(matches!(wrong(SessionOptions { cache_type: CacheType::Q8_0, ..small() }), Error::Unsupported { .. }));
    assert!(matches!(wrong(SessionOptions { parallel: 0, ..small() }), Error::InvalidParameter { .. }));
}

#[test]
fn what_was_read_is_what_is_loaded() {
    let (folder, _) = tiny();
    let file = trillm_formats::open(folder.path()).expect("a sound model");
    let expected = file.info.clone();
    for name in ["config.json", "tokenizer_config.json", "generation_config.json"] {
        std::fs::write(folder.path().join(name), b"{").expect("written");
    }
    let model = Candle.load(file, &LoadOptions::default()).expect("the model loads");
    assert_eq!(model.info().defaults, expected.defaults);
    assert_eq!(model.info().chat_templates, expected.chat_templates);
    run(&mut *model.session(&small()).expect("a session"), 0, 0, &[Token(1), Token(40)]).expect("a step");
}

#[test]
fn a_model_of_another_format_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tiny.gguf");
    TinyLlama::default().write_gguf(&path).expect("the model is written");
    let file = trillm_formats::open(&path).expect("a sound model");
    let error = Candle.load(file, &LoadOptions::default()).map(|_| ()).expect_err("not its format");
    assert_eq!(error.kind(), (Class::Engine, "engine_failed"));
    assert!(error.to_string().contains("\"gguf\""), "{error}");
}

#[test]
fn a_missing_tensor_is_named() {
    let (folder, weights) = tiny();
    let bytes = std::fs::read(&weights).expect("weights");
    // A name of the same length: the file stays sound, and a layer is incomplete.
    let at = bytes.windows(20).position(|window| window == b"layers.0.mlp.up_proj").expect("the name");
    let changed = [&bytes[..at], b"layers.0.mlp.up_prox", &bytes[at + 20..]].concat();
    std::fs::write(&weights, changed).expect("written");
    let error = load(folder.path(), &LoadOptions::default()).map(|_| ()).expect_err("a layer is incomplete");
    assert!(error.to_string().contains("model.layers.0.mlp.up_proj.weight is missing"), "{error}");
    // As the reader of files would say it.
    assert_eq!(error.kind(), (Class::Format, "missing_tensor"));
    assert!(error.hint().is_some_and(|hint| hint.contains("damaged")));
}

#[test]
fn a_file_that_changes_ends_with_an_error() {
    let (folder, weights) = tiny();
    let mapped = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let read = load(folder.path(), &LoadOptions { mmap: false, ..LoadOptions::default() }).expect("the model loads");
    let step = |model: &dyn Model| {
        let mut session = model.session(&small())?;
        run(&mut *session, 0, 0, &[Token(1), Token(40)])
    };
    let before = step(&*mapped).expect("nobody wrote");
    let size = std::fs::metadata(&weights).expect("weights").len();
    let file = OpenOptions::new().write(true).open(&weights).expect("weights");
    file.set_len(size / 2).expect("shortened");
    let error = step(&*mapped).expect_err("half of the weights are gone");
    assert!(matches!(&error, Error::Changed { engine: "candle", .. }), "{error}");
    assert_eq!(step(&*read).expect("a copy does not change"), before);
}

#[test]
fn a_model_that_generates_also_embeds() {
    let (folder, _) = tiny();
    let model = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let tokens: Vec<_> = (40..60).map(Token).collect();
    let vector = |pooling, tokens: &[Token]| {
        let options = SessionOptions { output: Output::Embedding(vec![pooling]), ..small() };
        run(&mut *model.session(&options).expect("a session"), 0, 0, tokens).expect("a step")
    };
    let last = vector(Pooling::Last, &tokens);
    assert_eq!(last.len(), model.info().width as usize);
    assert_ne!(last, vector(Pooling::First, &tokens));
    assert_eq!(vector(Pooling::First, &tokens[..1]), vector(Pooling::Mean, &tokens[..1]));
}

#[test]
fn a_tensor_that_is_not_aligned_is_copied_and_named() {
    let (folder, weights) = tiny();
    let aligned = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let tokens: Vec<_> = (40..60).map(Token).collect();
    let step = |model: &dyn Model| {
        let mut session = model.session(&small()).expect("a session");
        run(&mut *session, 0, 0, &tokens).expect("a step")
    };
    let expected = step(&*aligned);

    // A header that is one space longer moves all that follows to odd places.
    let bytes = std::fs::read(&weights).expect("weights");
    let (length, rest) = bytes.split_first_chunk().expect("a length");
    let length = u64::from_le_bytes(*length) as usize;
    let moved = [&(length as u64 + 1).to_le_bytes()[..], &rest[..length], b" ", &rest[length..]].concat();
    std::fs::write(&weights, moved).expect("written");
    let copied = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    assert_eq!(copied.info().weights, "mapped, partly copied");
    assert!(copied.info().notes.iter().any(|note| note.contains("not aligned")), "{:?}", copied.info().notes);
    assert_eq!(step(&*copied), expected);
}
