//! Control tokens: what begins and ends a text, what a user may not write, and what the small files change.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs;

use common::{detokenize, encode, names};
use serde_json::{Value, json};
use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;
use trillm_tokenizer::{Error, HuggingFaceTokenizer};

/// The tiny model's file, changed, with these small files beside it.
fn open(change: impl FnOnce(&mut Value), sidecars: &Sidecars) -> Result<HuggingFaceTokenizer, Error> {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_huggingface(folder.path(), TensorType::Bf16).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut file = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut file);
    fs::write(&path, file.to_string()).unwrap();
    HuggingFaceTokenizer::open(folder.path(), sidecars)
}

fn unchanged(_: &mut Value) {}

fn added(id: u32, content: &str, special: bool) -> Value {
    json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special })
}

#[test]
fn control_tokens_have_no_bytes_and_are_read_only_when_asked() {
    let tokenizer = open(unchanged, &names("<s>", "</s>")).unwrap();
    let text = "<|im_start|>the</s>";
    assert_eq!(encode(&tokenizer, text, false, true), [259, 281, 289, 2]);
    let plain = encode(&tokenizer, text, false, false);
    assert_eq!(detokenize(&tokenizer, &plain), text);
    assert!(plain.iter().all(|&id| !tokenizer.control().contains(&Token(id))));
    assert_eq!(tokenizer.control(), [0, 1, 2, 259, 260].map(Token));
    assert!(tokenizer.control().iter().all(|&token| tokenizer.bytes(token).is_empty()));
    assert_eq!(tokenizer.spelling(Token(260)), Some("<|im_end|>"));
    assert_eq!((tokenizer.spelling(Token(300)), tokenizer.bytes(Token(300))), (None, &[][..]));
}

#[test]
fn ends_are_the_named_ones_and_the_well_known_ones() {
    let sidecars = Sidecars { end_ids: vec![259, 259], ..names("<s>", "</s>") };
    let tokenizer = open(unchanged, &sidecars).unwrap();
    let ends: Vec<u32> = (0..300).filter(|&id| tokenizer.is_end(Token(id))).collect();
    assert_eq!(ends, [2, 259, 260]);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(Token(1)), Some(Token(2))));
}

#[test]
fn ids_stand_in_for_names() {
    let sidecars = Sidecars { bos_id: Some(1), end_ids: vec![260, 2], ..Sidecars::default() };
    let tokenizer = open(unchanged, &sidecars).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(Token(1)), Some(Token(260))));
    assert!(tokenizer.adds_bos() && tokenizer.is_end(Token(2)));
}

#[test]
fn small_files_stand_above_the_post_processor() {
    let set = |add_bos, add_eos| Sidecars { add_bos, add_eos, ..names("<s>", "</s>") };
    let around = |change: fn(&mut Value), sidecars: &Sidecars| {
        let tokenizer = open(change, sidecars).unwrap();
        assert_eq!(tokenizer.adds_bos(), encode(&tokenizer, "", true, false).first() == Some(&1));
        assert_eq!(encode(&tokenizer, "the", false, false), [281, 289]);
        encode(&tokenizer, "the", true, false)
    };
    let without: fn(&mut Value) = |file| file["post_processor"] = json!(null);
    assert_eq!(around(unchanged, &set(None, None)), [1, 281, 289]);
    assert_eq!(around(unchanged, &set(Some(true), None)), [1, 281, 289]);
    assert_eq!(around(unchanged, &set(Some(false), Some(false))), [281, 289]);
    assert_eq!(around(without, &set(None, None)), [281, 289]);
    assert_eq!(around(without, &set(Some(true), Some(true))), [1, 281, 289, 2]);
    let nameless = Sidecars { add_bos: Some(true), ..Sidecars::default() };
    assert!(open(unchanged, &nameless).is_err());
    assert!(open(unchanged, &names("<begin>", "</s>")).is_err());
}

#[test]
fn tokens_that_only_the_small_files_know_are_control_tokens() {
    let sidecars = names("<s>", "</s>");
    let forget = |file: &mut Value| file["added_tokens"] = json!([]);
    let tokenizer = open(forget, &sidecars).unwrap();
    assert_eq!(tokenizer.control(), [1, 2].map(Token));
    assert_eq!(encode(&tokenizer, "a</s>", false, true), [262, 2]);
    assert!(!encode(&tokenizer, "a</s>", false, false).contains(&2));
    assert!(tokenizer.bytes(Token(2)).is_empty());

    // An end of turn that the file does not call special.
    let tokenizer = open(|file| file["added_tokens"] = json!([added(260, "<|im_end|>", false)]), &sidecars).unwrap();
    assert!(!encode(&tokenizer, "<|im_end|>", false, false).contains(&260));
}

#[test]
fn added_tokens_that_are_not_special_are_text() {
    let more = |file: &mut Value| {
        let tokens = file["added_tokens"].as_array_mut().unwrap();
        tokens.extend([added(300, "  ", false), added(305, "<tool>", false), added(306, "é", false)]);
    };
    let tokenizer = open(more, &names("<s>", "</s>")).unwrap();
    assert_eq!(tokenizer.vocabulary(), 307);
    for parse_special in [false, true] {
        assert_eq!(encode(&tokenizer, "a  <tool>é", false, parse_special), [262, 300, 305, 306]);
    }
    assert_eq!(detokenize(&tokenizer, &[262, 300, 305, 306]), "a  <tool>é");
    // Ids that nothing has.
    assert_eq!((tokenizer.spelling(Token(302)), tokenizer.bytes(Token(302))), (None, &[][..]));
}

#[test]
fn byte_level_files_keep_added_tokens_as_they_are() {
    let byte_level = |file: &mut Value| {
        let part = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        let letters = ["Ġ", "a", "b", "Ã", "©", "Ġa"];
        let vocab: Value = letters.iter().zip(0..).map(|(text, id)| ((*text).to_owned(), json!(id))).collect();
        *file = json!({
            "added_tokens": [added(6, "é", false), added(7, "<|endoftext|>", true)],
            "normalizer": null, "pre_tokenizer": part, "decoder": part, "post_processor": part,
            "model": { "vocab": vocab, "merges": ["#version: 0.2", "Ġ a"] },
        });
    };
    let tokenizer = open(byte_level, &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "a ab é<|endoftext|>", true, true), [1, 5, 2, 0, 6, 7]);
    assert_eq!(detokenize(&tokenizer, &[1, 5, 2, 0, 6, 7, 3, 4]), "a ab éé");
    assert!(tokenizer.is_end(Token(7)) && tokenizer.bos().is_none() && !tokenizer.adds_bos());
}

#[test]
fn other_models() {
    let bert = |file: &mut Value| {
        *file = json!({
            "added_tokens": [added(0, "[UNK]", true), added(1, "[CLS]", true), added(2, "[SEP]", true)],
            "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1] },
            "decoder": { "type": "WordPiece", "prefix": "\u{23}#", "cleanup": true },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "\u{23}#",
                "max_input_chars_per_word": 100,
                "vocab": { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "go": 3, "##ing": 4, ".": 5 },
            },
        });
    };
    let tokenizer = open(bert, &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "Going go. é", true, false), [1, 3, 4, 3, 5, 0, 2]);
    assert_eq!(detokenize(&tokenizer, &[1, 3, 4, 3, 5, 2]), " going go.");

    let unigram = |file: &mut Value| {
        let metaspace = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
        *file = json!({
            "added_tokens": [], "pre_tokenizer": metaspace, "decoder": metaspace,
            "model": { "type": "Unigram", "unk_id": 0, "byte_fallback": false,
                "vocab": [["<unk>", 0.0], ["▁", -3.0], ["a", -3.0], ["b", -3.0], ["▁ab", -1.0]] },
        });
    };
    let tokenizer = open(unigram, &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "ab ba", true, false), [4, 1, 3, 2]);
    assert_eq!(detokenize(&tokenizer, &[4, 1, 3, 2]), " ab ba");
}
