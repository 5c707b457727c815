//! A real model, small as it is, from both of its files.

use trillm_core::LoadOptions;
use trillm_testkit::stories::{eight_at_different_places_say_the_same, says_what_it_always_said, stories};

use crate::common::load;

#[test]
fn it_says_what_it_always_said() {
    let Some((folder, golden)) = stories() else { return };
    for file in ["hf", "hf/model.safetensors", "hf/pytorch_model.bin"] {
        let model = load(&folder.join(file), &LoadOptions::default()).expect("the model loads");
        assert_eq!(model.info().weights, "mapped", "{file}");
        says_what_it_always_said(&*model, &golden);
    }
}

#[test]
fn eight_at_different_places() {
    let Some((folder, golden)) = stories() else { return };
    let model = load(&folder.join("hf"), &LoadOptions::default()).expect("the model loads");
    eight_at_different_places_say_the_same(&*model, &golden, 2048);
}
