//! Control tokens: what begins and ends a text, what a user may not write, and what the small files change.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs;

use common::{detokenize, encode, names};
use serde_json::{Value, json};
use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::{Found, NamedToken, Sidecars};
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
fn the_post_processor_alone_says_what_is_around_a_text() {
    // transformers 5.24 gives the same ids with `add_bos_token` and `add_eos_token` true, false and absent, for
    // `PreTrainedTokenizerFast`, `LlamaTokenizerFast`, `GemmaTokenizerFast`, `GPT2TokenizerFast` and `Qwen2TokenizerFast`.
    let around = |change: fn(&mut Value)| {
        let tokenizer = open(change, &names("<s>", "</s>")).unwrap();
        assert_eq!(tokenizer.adds_bos(), encode(&tokenizer, "", true, false).first() == Some(&1));
        assert_eq!(encode(&tokenizer, "the", false, false), [281, 289]);
        encode(&tokenizer, "the", true, false)
    };
    let without: fn(&mut Value) = |file| file["post_processor"] = json!(null);
    assert_eq!(around(unchanged), [1, 281, 289]);
    assert_eq!(around(without), [281, 289]);
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
fn a_text_leaves_out_what_the_files_call_special() {
    // `</s>` of Phi-3 ends a text by what it is called, and transformers 5.24 and tokenizers 0.23 write it out.
    let tokenizer = |special| {
        let change = |file: &mut Value| file["added_tokens"] = json!([added(260, "<|im_end|>", special)]);
        open(change, &names("<s>", "</s>")).unwrap()
    };
    let ids = [1, 281, 289, 260, 262, 2].map(Token);
    assert_eq!(tokenizer(true).decode(&ids), "thea");
    assert_eq!(tokenizer(false).decode(&ids), "the<|im_end|>a");
    assert!(tokenizer(false).is_end(Token(260)) && tokenizer(false).bytes(Token(260)).is_empty());
}

fn named(content: &str, special: bool) -> NamedToken {
    NamedToken { content: content.into(), special, found: None }
}

#[test]
fn tokens_of_the_small_files_are_added_behind_all_others() {
    let tokens = vec![named("▁the", false), named("<pad>", true), named("</s>", true), named("<|end|>", true)];
    let sidecars = Sidecars { tokens, ..names("<s>", "<|end|>") };
    let tokenizer = open(unchanged, &sidecars).unwrap();
    // `tokenizers` 0.23 gives the same numbers to `add_tokens` in this order; a word that the model has keeps its own.
    assert_eq!(encode(&tokenizer, "a<pad><|end|>", false, true), [262, 300, 301]);
    assert_eq!(tokenizer.eos(), Some(Token(301)));
    assert!(tokenizer.is_end(Token(301)) && tokenizer.bytes(Token(300)).is_empty());
    assert_eq!((tokenizer.vocabulary(), tokenizer.spelling(Token(301))), (302, Some("<|end|>")));
    let plain = encode(&tokenizer, "<pad>", false, false);
    assert_eq!(detokenize(&tokenizer, &plain), "<pad>");
    assert!(!plain.contains(&300));
}

#[test]
fn a_token_is_special_if_any_file_says_so() {
    let ordinary = |file: &mut Value| {
        let tokens = file["added_tokens"].as_array_mut().unwrap();
        tokens.extend([added(300, "<tool>", false), added(301, "<box>", false)]);
    };
    let found = Found { lstrip: false, rstrip: true, single_word: false, normalized: false };
    let boxed = NamedToken { content: "<box>".into(), special: false, found: Some(found) };
    let sidecars = Sidecars { tokens: vec![named("<tool>", true), boxed], ..names("<s>", "</s>") };
    let tokenizer = open(ordinary, &sidecars).unwrap();
    assert!(tokenizer.control().contains(&Token(300)) && !tokenizer.control().contains(&Token(301)));
    assert!(!encode(&tokenizer, "<tool>", false, false).contains(&300));
    // How it is found comes along.
    assert_eq!(encode(&tokenizer, "<box>  a", false, false), [301, 262]);
}

#[test]
fn a_model_may_have_fewer_rows_than_there_are_tokens() {
    let more = |file: &mut Value| file["added_tokens"].as_array_mut().unwrap().push(added(300, "<image>", true));
    let tokenizer = open(more, &names("<s>", "</s>")).unwrap().with_rows(300);
    assert_eq!(tokenizer.vocabulary(), 300);
    assert_eq!(encode(&tokenizer, "<image>", false, true), [300]);
    assert_eq!(tokenizer.spelling(Token(300)), Some("<image>"));
    assert_eq!(open(unchanged, &names("<s>", "</s>")).unwrap().with_rows(512).vocabulary(), 512);
}

#[test]
fn an_id_that_nothing_has_is_no_beginning() {
    let sidecars = Sidecars { bos_id: Some(50_256), end_ids: vec![50_256], ..Sidecars::default() };
    let tokenizer = open(unchanged, &sidecars).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.is_end(Token(50_256))), (None, true));
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
    // Older files do not say what the model is; the library finds it out, too.
    let untyped = |write: fn(&mut Value)| {
        move |file: &mut Value| {
            write(file);
            file["model"].as_object_mut().unwrap().remove("type").unwrap();
        }
    };
    let tokenizer = open(untyped(bert), &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "Going go. é", true, false), [1, 3, 4, 3, 5, 0, 2]);
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
    let tokenizer = open(untyped(unigram), &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "ab ba", true, false), [4, 1, 3, 2]);
    let tokenizer = open(unigram, &Sidecars::default()).unwrap();
    assert_eq!(encode(&tokenizer, "ab ba", true, false), [4, 1, 3, 2]);
    assert_eq!(detokenize(&tokenizer, &[4, 1, 3, 2]), " ab ba");

    let words = |file: &mut Value| {
        *file = json!({
            "added_tokens": [], "pre_tokenizer": { "type": "Whitespace" },
            "model": { "type": "WordLevel", "unk_token": "?", "vocab": { "?": 0, "go": 1 } },
        });
    };
    for tokenizer in [open(words, &Sidecars::default()).unwrap(), open(untyped(words), &Sidecars::default()).unwrap()] {
        assert_eq!(encode(&tokenizer, "go now", true, false), [1, 0]);
    }
    let bare = |file: &mut Value| *file = json!({ "added_tokens": [], "model": { "vocab": { "go": 1 } } });
    assert!(
        matches!(open(bare, &Sidecars::default()), Err(Error::In { error, .. }) if error.to_string().contains("without a type"))
    );
}

/// What tokenizers 0.23 gives with and without `encode_special_tokens`, but for the marker.
#[test]
fn a_control_token_that_is_a_word_or_a_sign_is_text() {
    let words = ["[UNK]", "a", "!", "the", "</s>"];
    let vocab: serde_json::Map<String, Value> = (0..).zip(words).map(|(id, word)| (word.into(), json!(id))).collect();
    let scored: Vec<Value> = words.iter().map(|word| json!([word, -1.0])).collect();
    for model in [
        json!({ "type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100 }),
        json!({ "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" }),
        json!({ "type": "Unigram", "vocab": scored, "unk_id": 0, "byte_fallback": false }),
    ] {
        let file = |file: &mut Value| {
            let tokens = [added(2, "!", true), added(3, "the", true), added(4, "</s>", true)];
            *file = json!({ "added_tokens": tokens, "pre_tokenizer": { "type": "WhitespaceSplit" }, "model": model });
        };
        let tokenizer = open(file, &Sidecars::default()).unwrap();
        for parse_special in [false, true] {
            assert_eq!(encode(&tokenizer, "a !", false, parse_special), [1, 2], "{model}");
            assert_eq!(encode(&tokenizer, "the a", false, parse_special), [3, 1], "{model}");
        }
        assert!(!encode(&tokenizer, "a </s>", false, false).contains(&4), "{model}");
    }
}
