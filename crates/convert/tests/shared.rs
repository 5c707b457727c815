//! A real model that others converted: its file and its folder must say the same.

mod common;

use common::{keys_of_gguf, run, tensors_of_folder, tensors_of_gguf};
use trillm_convert::{Dtype, Target};
use trillm_testkit::shared_data;

#[test]
fn stories_are_the_same_whoever_converts() {
    let Some(data) = shared_data() else { return };
    let model = data.join("models/stories260K");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    run(&model.join("stories260K.gguf"), &at("made"), Target::Safetensors, Dtype::F32).unwrap();
    let (made, expected) = (tensors_of_folder(&at("made")), tensors_of_folder(&model.join("hf")));
    for (name, tensor) in &expected {
        assert!(made[name] == *tensor, "{name}");
    }
    // The file holds the output matrix, the folder knows that it is the embedding.
    let more: Vec<_> = made.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert_eq!(more, ["lm_head.weight"]);
    assert!(made["lm_head.weight"] == made["model.embed_tokens.weight"]);

    run(&at("made"), &at("back.gguf"), Target::Gguf, Dtype::F32).unwrap();
    let back = tensors_of_gguf(&at("back.gguf"));
    assert!(back == tensors_of_gguf(&model.join("stories260K.gguf")));
    let (before, after) = (keys_of_gguf(&model.join("stories260K.gguf")), keys_of_gguf(&at("back.gguf")));
    for key in ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "llama.block_count"] {
        assert_eq!(after.get(key), before.get(key), "{key}");
    }

    run(&model.join("hf"), &at("direct.gguf"), Target::Gguf, Dtype::F32).unwrap();
    trillm_formats::gguf::Files::open(&at("direct.gguf")).unwrap();
    let direct = tensors_of_gguf(&at("direct.gguf"));
    for (name, tensor) in &direct {
        assert!(back[name] == *tensor, "{name}");
    }
}
