//! A real model, small as it is, as `torch.onnx` and onnxruntime-genai's builder export it.

use trillm_core::LoadOptions;
use trillm_testkit::stories::{eight_at_different_places_say_the_same, says_what_it_always_said, stories};

use crate::common::load;

#[test]
fn it_says_what_it_always_said() {
    let Some((folder, golden)) = stories() else { return };
    for path in ["onnx-plain-fp32", "onnx-plain-fp32/model.onnx"] {
        let model = load(&folder.join(path), &LoadOptions::default()).expect("the model loads");
        says_what_it_always_said(&*model, &golden);
    }
}

#[test]
fn eight_at_different_places() {
    let Some((folder, golden)) = stories() else { return };
    let model = load(&folder.join("onnx-plain-fp32"), &LoadOptions::default()).expect("the model loads");
    eight_at_different_places_say_the_same(&*model, &golden, 512);
}

#[test]
fn what_the_runtime_cannot_do_is_refused_when_it_is_read() {
    let Some((folder, _)) = stories() else { return };
    let error = trillm_formats::inspect(&folder.join("onnx-gqa-fp32")).expect_err("heads of 8 numbers");
    assert!(error.to_string().contains("head size 8"), "{error}");
}
