//! The same tokens as the library gives for the same file, and the same texts back.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs;
use std::path::Path;

use common::{detokenize, encode, names};
use proptest::prelude::*;
use trillm_core::Tokenizer;
use trillm_formats::huggingface::Sidecars;
use trillm_testkit::models::gguf::TensorType;
use trillm_testkit::{TinyLlama, shared_data};
use trillm_tokenizer::HuggingFaceTokenizer;

/// The library, told to read control tokens or not.
fn library(path: &Path, parse_special: bool) -> tokenizers::Tokenizer {
    let mut library = tokenizers::Tokenizer::from_file(path).unwrap();
    library.set_encode_special_tokens(!parse_special);
    library
}

fn ids(library: &tokenizers::Tokenizer, text: &str, add_special: bool) -> Vec<u32> {
    library.encode_fast(text, add_special).unwrap().get_ids().to_vec()
}

/// Texts of real use, and texts that are cut in odd places.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ a-z]{1,12}",
        2 => prop::sample::select(vec!["Hello, world!", " the", "<|im_start|>", "<s>", "</s>", "<|endoftext|>", "\n\n", "  ", "▁", "<0x41>", "don't", "👍🏽", "é", "日本", "12345"]).prop_map(String::from),
        1 => any::<char>().prop_map(|character| character.to_string()),
        1 => "\\PC{0,6}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// Compares with the library on one text.
fn same(path: &Path, tokenizer: &HuggingFaceTokenizer, text: &str) {
    for parse_special in [false, true] {
        let expected = ids(&library(path, parse_special), text, false);
        assert_eq!(encode(tokenizer, text, false, parse_special), expected, "{text:?}, parse_special {parse_special}");
    }
}

fn tiny() -> (tempfile::TempDir, HuggingFaceTokenizer) {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_huggingface(folder.path(), TensorType::F32).unwrap();
    let tokenizer = HuggingFaceTokenizer::open(folder.path(), &names("<s>", "</s>")).unwrap();
    (folder, tokenizer)
}

#[test]
fn the_tiny_model_is_tokenised_as_the_library_does() {
    let (folder, tokenizer) = tiny();
    let path = folder.path().join("tokenizer.json");
    let libraries = [false, true].map(|parse_special| library(&path, parse_special));
    proptest!(|(text in texts())| {
        for (library, parse_special) in libraries.iter().zip([false, true]) {
            for add_special in [false, true] {
                let found = encode(&tokenizer, &text, add_special, parse_special);
                prop_assert_eq!(found, ids(library, &text, add_special));
            }
        }
        let tokens = encode(&tokenizer, &text, true, false);
        // `▁` is a space to it.
        prop_assert_eq!(detokenize(&tokenizer, &tokens), text.replace('▁', " "));
    });
}

#[test]
fn real_files_are_tokenised_as_the_library_does() {
    let Some(data) = shared_data() else { return };
    for (file, begins_with_space) in
        [("tokenizers/gpt2", false), ("tokenizers/phi3", true), ("models/stories260K/hf", true)]
    {
        let path = data.join(file).join("tokenizer.json");
        let tokenizer = HuggingFaceTokenizer::open(&path, &Sidecars::default()).unwrap();
        let libraries = [false, true].map(|parse_special| library(&path, parse_special));
        let mut config = ProptestConfig::with_cases(400);
        config.failure_persistence = None;
        proptest!(config, |(text in texts())| {
            for (library, parse_special) in libraries.iter().zip([false, true]) {
                // These are added tokens that the file does not call special, and that we do.
                prop_assume!(parse_special || !text.contains("</s>"));
                let found = encode(&tokenizer, &text, false, parse_special);
                prop_assert_eq!(found, ids(library, &text, false), "{}", file);
            }
            let tokens = encode(&tokenizer, &text, false, false);
            let found = detokenize(&tokenizer, &tokens);
            if begins_with_space {
                // Everything that is not a space of ours comes back; added tokens swallow spaces after them.
                let space = if text.is_empty() { "" } else { " " };
                prop_assert_eq!(found, format!("{space}{}", text.replace('▁', " ")), "{}", file);
            } else {
                prop_assert_eq!(found, text, "{}", file);
            }
        });
        let text = fs::read_to_string(data.join("text/tinyshakespeare.txt")).unwrap_or_default();
        same(&path, &tokenizer, &text.chars().take(100_000).collect::<String>());
    }
}

#[test]
fn llama_cpps_expected_ids() {
    let Some(data) = shared_data() else { return };
    for (folder, name, begins_with_space) in [("gpt2", "gpt-2", false), ("phi3", "phi-3", true)] {
        let tokenizer =
            HuggingFaceTokenizer::open(&data.join("tokenizers").join(folder), &Sidecars::default()).unwrap();
        let base = data.join(format!("tokenizers/ggml-vocab-{name}.gguf"));
        let texts = fs::read_to_string(base.with_extension("gguf.inp")).unwrap();
        let expected = fs::read_to_string(base.with_extension("gguf.out")).unwrap();
        let mut compared = 0;
        for (text, line) in texts.split("\n__ggml_vocab_test__\n").zip(expected.lines()) {
            let line: Vec<u32> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
            assert_eq!(encode(&tokenizer, text, false, false), line, "{name}: {text:?}");
            let space = if begins_with_space && !text.is_empty() { " " } else { "" };
            assert_eq!(detokenize(&tokenizer, &line), format!("{space}{text}"));
            compared += 1;
        }
        assert!(compared > 40, "{compared}");
    }
}

#[test]
fn the_stories_come_back() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("models/stories260K");
    let tokenizer = HuggingFaceTokenizer::open(&folder.join("hf"), &names("<s>", "</s>")).unwrap();
    let golden: Vec<u32> = fs::read_to_string(folder.join("golden.ids"))
        .unwrap()
        .split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect();
    let text = fs::read_to_string(folder.join("golden.txt")).unwrap();
    let text = text.trim_end_matches('\n');
    assert_eq!(detokenize(&tokenizer, &golden), text);
    // `tokenizer_config.json` wants a BOS, and `tokenizer.json` puts none there: nor does transformers 5.
    assert_eq!(encode(&tokenizer, &text[1..], true, false), golden[1..]);
    assert!(!tokenizer.adds_bos() && tokenizer.vocabulary() == 512);
}
