//! A folder that has one model in several formats.

use std::fs;
use std::path::Path;

use trillm_core::Coded;
use trillm_formats::{formats_in, inspect, open_in};
use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::{OnnxForm, TinyLlama};

mod common;

use common::Folder;

/// The format of what is opened where only these are wanted.
fn opened(folder: &Path, wanted: &[&str]) -> &'static str {
    open_in(folder, &|format| wanted.contains(&format)).expect("sound").info.format
}

#[test]
fn the_formats_that_are_wanted_are_opened() {
    let folder = Folder::new("several");
    let folder = &*folder.0;
    assert_eq!(formats_in(folder), Vec::<&str>::new());
    let model = TinyLlama::default();
    model.write_gguf(&folder.join("model-f16.gguf")).expect("written");
    assert_eq!(formats_in(folder), ["gguf"]);
    model.write_onnx(folder, OnnxForm::Grown).expect("written");
    assert_eq!(formats_in(folder), ["onnx", "gguf"]);
    assert_eq!(inspect(folder).expect("sound").format, "onnx");
    model.write_huggingface(folder, TensorType::F32).expect("written");
    assert_eq!(formats_in(folder), ["safetensors", "onnx", "gguf"]);
    // Unasked, weights come first; so they do if what is wanted is not there.
    assert_eq!(inspect(folder).expect("sound").format, "safetensors");
    for (wanted, expected) in [
        (&["gguf"][..], "gguf"),
        (&["onnx"], "onnx"),
        (&["gguf", "onnx"], "onnx"),
        (&["pytorch"], "safetensors"),
        (&["other"], "safetensors"),
        (&[], "safetensors"),
    ] {
        assert_eq!(opened(folder, wanted), expected, "{wanted:?}");
    }
    // A file is what it is, whatever is wanted.
    assert_eq!(opened(&folder.join("model-f16.gguf"), &["onnx"]), "gguf");
}

#[test]
fn several_of_one_format_are_an_error_for_whoever_wants_it_alone() {
    let folder = Folder::new("several-gguf");
    let folder = &*folder.0;
    let model = TinyLlama::default();
    model.write_huggingface(folder, TensorType::F32).expect("written");
    model.write_gguf(&folder.join("one.gguf")).expect("written");
    fs::copy(folder.join("one.gguf"), folder.join("two.gguf")).expect("copied");
    assert_eq!(formats_in(folder), ["safetensors", "gguf"]);
    assert_eq!(opened(folder, &["safetensors"]), "safetensors");
    let error = open_in(folder, &|format| format == "gguf").err().expect("two");
    assert_eq!(error.code(), "model_not_found");
    assert!(error.to_string().contains("2 GGUF models"), "{error}");
}
