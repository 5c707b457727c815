//! A token that is left unread in a place of a text changes nothing around it: the tokens are those that a vocabulary
//! without the token gives.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs;
use std::ops::Range;

use common::{encode, names};
use serde_json::{Value, json};
use trillm_core::{Guarded, Token, Tokenizer};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;
use trillm_tokenizer::HuggingFaceTokenizer;

/// The id of the marker under test, and of a token that stands beside it.
const MARKER: u32 = 300;
const OTHER: u32 = 301;

fn added(id: u32, content: &str, more: &Value) -> Value {
    let mut token = json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true });
    token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    token
}

/// The tiny model's tokenizer with these tokens added.
fn open(tokens: &[Value], change: impl FnOnce(&mut Value)) -> HuggingFaceTokenizer {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_huggingface(folder.path(), TensorType::Bf16).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    file["added_tokens"].as_array_mut().unwrap().extend(tokens.iter().cloned());
    change(&mut file);
    fs::write(&path, file.to_string()).unwrap();
    HuggingFaceTokenizer::open(folder.path(), &names("<s>", "</s>")).unwrap()
}

/// The tokens of a text in which `spelling` is guarded in its places number `which`.
fn guarded(tokenizer: &HuggingFaceTokenizer, text: &str, spelling: &str, which: &[usize]) -> Vec<u32> {
    let places: Vec<Range<usize>> = text.match_indices(spelling).map(|(at, found)| at..at + found.len()).collect();
    let ranges: Vec<Range<usize>> = which.iter().map(|&at| places[at].clone()).collect();
    let mut out = Vec::new();
    tokenizer.encode_guarded(text, Guarded { tokens: &[Token(MARKER)], ranges: &ranges }, &mut out).unwrap();
    out.into_iter().map(|token| token.0).collect()
}

fn metaspace(scheme: &'static str) -> impl Fn(&mut Value) {
    move |file| {
        file["normalizer"] = Value::Null;
        file["pre_tokenizer"] =
            json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false });
    }
}

#[test]
fn what_is_around_stays_what_it_was() {
    let strips = json!({ "rstrip": true, "lstrip": true });
    let plain = json!({});
    for scheme in ["first", "always", "never"] {
        for more in [&plain, &strips] {
            let other = added(OTHER, "<|o|>", more);
            let with = open(&[added(MARKER, "<|m|>", more), other.clone()], metaspace(scheme));
            let without = open(&[other], metaspace(scheme));
            for text in
                ["the <|m|> end", "<|o|>  the  <|m|>  girl<|o|>", "<|m|><|m|>the", " <|m|> ", "a<|m|>\nb <|o|> c"]
            {
                let all: Vec<usize> = (0..text.matches("<|m|>").count()).collect();
                let expected = encode(&without, text, false, true);
                assert_eq!(guarded(&with, text, "<|m|>", &all), expected, "{scheme}, {more}: {text:?}");
                assert!(!expected.contains(&MARKER));
                // With nothing guarded the text is read as ever.
                assert_eq!(guarded(&with, text, "<|m|>", &[]), encode(&with, text, false, true), "{text:?}");
            }
        }
    }
}

#[test]
fn only_its_own_places_are_guarded() {
    let with = open(&[added(MARKER, "<|m|>", &json!({}))], metaspace("never"));
    let text = "<|m|>a<|m|>";
    assert_eq!(guarded(&with, text, "<|m|>", &[1]).iter().filter(|&&id| id == MARKER).count(), 1);
    assert_eq!(guarded(&with, text, "<|m|>", &[1]).first(), Some(&MARKER));
    assert_eq!(guarded(&with, text, "<|m|>", &[0]).last(), Some(&MARKER));
}

#[test]
fn tokens_inside_a_guarded_one_are_read() {
    let tokens = [added(MARKER, "<|m  m|>", &json!({})), added(OTHER, "  ", &json!({ "special": false }))];
    let with = open(&tokens, metaspace("never"));
    let without = open(&tokens[1..], metaspace("never"));
    let found = guarded(&with, "a<|m  m|>b", "<|m  m|>", &[0]);
    assert!(found.contains(&OTHER));
    assert_eq!(found, encode(&without, "a<|m  m|>b", false, true));
}

#[test]
fn normalized_tokens_are_guarded_in_the_text_as_it_came() {
    let lower = |file: &mut Value| {
        metaspace("never")(file);
        file["normalizer"] = json!({ "type": "Lowercase" });
    };
    let marker = added(MARKER, "<|M|>", &json!({ "normalized": true, "special": false }));
    let with = open(&[marker], lower);
    let without = open(&[], lower);
    let text = "É<|M|>B";
    assert!(guarded(&with, text, "<|M|>", &[]).contains(&MARKER));
    assert_eq!(guarded(&with, text, "<|M|>", &[0]), encode(&without, text, false, true));
    // A spelling that only becomes the token's when it is normalized is not the template's.
    assert_eq!(guarded(&with, "É<|m|>B", "-", &[]), encode(&without, "É<|m|>B", false, true));
}

/// A vocabulary whose merges lead to added tokens: a marker, a word and a sign.
fn merging(special: bool, bytes: bool) -> HuggingFaceTokenizer {
    let words = [
        "<unk>", "a", "!", "<", ">", "e", "n", "d", "<e", "nd", "<end", "<end>", "t", "h", "th", "the", "<0x21>", "r",
        "er", "ther",
    ];
    let merges = ["n d", "< e", "<e nd", "<end >", "t h", "th e", "e r", "th er"];
    let vocab: serde_json::Map<String, Value> = (0..).zip(words).map(|(id, word)| (word.into(), json!(id))).collect();
    let tokens = [(11, "<end>"), (2, "!"), (15, "the")];
    let tokens = tokens.map(|(id, text)| added(id, text, &json!({ "special": special })));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let model =
        json!({ "type": "BPE", "vocab": vocab, "merges": merges, "unk_token": "<unk>", "byte_fallback": bytes });
    fs::write(&path, json!({ "added_tokens": tokens, "model": model }).to_string()).unwrap();
    HuggingFaceTokenizer::open(&path, &trillm_formats::huggingface::Sidecars::default()).unwrap()
}

#[test]
fn merging_leads_to_no_guarded_token() {
    for special in [true, false] {
        let tokenizer = merging(special, false);
        let guarded = |tokenizer: &HuggingFaceTokenizer, text: &str| {
            let (tokens, whole) = ([Token(2), Token(11), Token(15)], 0..text.len());
            let mut out = Vec::new();
            let guarded = Guarded { tokens: &tokens, ranges: std::slice::from_ref(&whole) };
            tokenizer.encode_guarded(text, guarded, &mut out).unwrap();
            out.into_iter().map(|token| token.0).collect::<Vec<_>>()
        };
        // As merged by hand without the three; a character that has no other token is its own.
        for (text, expected) in [
            ("a<end>a", &[1, 10, 4, 1][..]),
            ("a!the", &[1, 2, 14, 5]),
            ("there", &[19, 5]),
            ("<endd", &[10, 7]),
            ("<end><end>", &[10, 4, 10, 4]),
        ] {
            // Twice, as what merging leads to is remembered.
            for _ in 0..2 {
                assert_eq!(guarded(&tokenizer, text), expected, "{special}: {text}");
                encode(&tokenizer, text, false, false);
            }
        }
        // Bytes stand for it where they have tokens.
        assert_eq!(guarded(&merging(special, true), "a!"), [1, 16]);
        // Without a guard as the library has it, with `encode_special_tokens` (tokenizers 0.23).
        for (text, expected) in [("a<end>a", &[1, 11, 1][..]), ("a!the", &[1, 2, 15]), ("<endd", &[10, 7])] {
            assert_eq!(encode(&tokenizer, text, false, false), expected, "{special}: {text}");
        }
        assert_eq!(encode(&merging(special, true), "a!", false, false), [1, 2]);
    }
}

#[test]
fn no_best_way_goes_through_a_guarded_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let vocab = json!([
        ["?", 0.0],
        ["a", -2.0],
        ["!", -2.0],
        ["<e>", -1.0],
        ["<", -2.0],
        ["e", -2.0],
        [">", -2.0],
        ["ae", -1.0]
    ]);
    let tokens = [(3, "<e>"), (2, "!"), (7, "ae")].map(|(id, text)| added(id, text, &json!({ "special": false })));
    let model = json!({ "type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": vocab });
    fs::write(&path, json!({ "added_tokens": tokens, "model": model }).to_string()).unwrap();
    let tokenizer = HuggingFaceTokenizer::open(&path, &trillm_formats::huggingface::Sidecars::default()).unwrap();
    let (text, tokens) = ("a<e>!ae", [Token(2), Token(3), Token(7)]);
    let mut out = Vec::new();
    let whole = 0..text.len();
    let guarded = Guarded { tokens: &tokens, ranges: std::slice::from_ref(&whole) };
    tokenizer.encode_guarded(text, guarded, &mut out).unwrap();
    assert_eq!(out, [1, 4, 5, 6, 2, 1, 5].map(Token));
}
