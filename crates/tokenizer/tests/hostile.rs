//! Files that are wrong in every way are errors: never a panic, a hang, or memory without end.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use common::names;
use proptest::prelude::*;
use serde_json::{Value, json};
use trillm_core::{Coded, Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::TensorType;
use trillm_tokenizer::{Error, HuggingFaceTokenizer};

/// A sound file.
static SOUND: LazyLock<String> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_huggingface(folder.path(), TensorType::Bf16).unwrap();
    fs::read_to_string(folder.path().join("tokenizer.json")).unwrap()
});

/// The sound file with one value, named by a JSON pointer, replaced.
fn with(pointer: &str, value: Value) -> String {
    let mut file: Value = serde_json::from_str(&SOUND).unwrap();
    *file.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    file.to_string()
}

fn open(text: impl AsRef<[u8]>) -> Result<HuggingFaceTokenizer, Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokenizer.json"), text).unwrap();
    HuggingFaceTokenizer::open(folder.path(), &names("<s>", "</s>"))
}

/// The message of the error without the path, and its code.
fn error(text: impl AsRef<[u8]>) -> (String, &'static str) {
    let Err(error) = open(text) else { panic!("the file was taken") };
    let code = error.code();
    let Error::In { error, .. } = error else { panic!("{error}") };
    (error.to_string(), code)
}

/// Uses whatever was opened: errors are fine.
fn exercise(tokenizer: &HuggingFaceTokenizer) {
    for text in ["", "Hello, and the world!\n", "<s>é👍</s> \u{0} ▁▁"] {
        for parse_special in [false, true] {
            let mut out = Vec::new();
            if tokenizer.encode(text, true, parse_special, &mut out).is_ok() {
                assert!(out.iter().all(|token| token.0 < tokenizer.vocabulary()), "{out:?}");
            }
        }
    }
    for id in [0, 1, 299, 300, u32::MAX] {
        let _ = (tokenizer.bytes(Token(id)), tokenizer.spelling(Token(id)));
    }
}

#[test]
fn every_truncation_is_an_error() {
    let text = &*SOUND;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let end = text.trim_end().len();
    for length in (0..end).step_by(13).chain(end - 20..end) {
        fs::write(&path, &text.as_bytes()[..length]).unwrap();
        let error = HuggingFaceTokenizer::open(&path, &Sidecars::default()).err().expect("half a file");
        assert_eq!(error.code(), "malformed", "{error}");
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    let text = &*SOUND;
    let mut config = ProptestConfig::with_cases(1000);
    config.failure_persistence = None;
    proptest!(config, |(at in 0..text.len(), byte in prop_oneof![any::<u8>(), prop::sample::select(b"0123456789\"{}[],:-ae".to_vec())])| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(tokenizer) = open(bytes) {
            exercise(&tokenizer);
        }
    });
}

/// Pointers to every value of a document, but for the inside of the vocabulary and of the merges.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    let skip = at == "/model/vocab" || at == "/model/merges";
    match value {
        Value::Object(fields) if !skip => {
            fields.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), out));
        }
        Value::Array(values) if !skip => {
            (0..).zip(values).for_each(|(index, value): (usize, _)| pointers(value, &format!("{at}/{index}"), out));
        }
        _ => {}
    }
}

#[test]
fn values_of_every_wrong_type_do_no_harm() {
    let mut all = Vec::new();
    pointers(&serde_json::from_str(&SOUND).unwrap(), "", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let mut opened = 0;
    for pointer in &all {
        for value in [
            json!(null),
            json!(-1),
            json!(0),
            json!(1e300),
            json!(""),
            json!("BPE"),
            json!([]),
            json!([[]]),
            json!({}),
            json!(true),
        ] {
            if let Ok(tokenizer) = open(with(pointer, value)) {
                exercise(&tokenizer);
                opened += 1;
            }
        }
    }
    assert!(opened > 0 && opened < all.len() * 10);
}

#[test]
fn what_is_not_there_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| HuggingFaceTokenizer::open(path, &Sidecars::default()).err().expect("an error");
    let missing = open(folder.path());
    assert!(missing.to_string().ends_with("tokenizer.json is not there"), "{missing}");
    assert_eq!(missing.code(), "missing_tokenizer");
    fs::write(folder.path().join("tokenizer.model"), "x").unwrap();
    let missing = open(folder.path());
    assert!(missing.to_string().ends_with("tokenizer.json is not there; the folder has tokenizer.model"), "{missing}");
    assert!(missing.hint().unwrap().starts_with("convert it"));
    fs::create_dir(folder.path().join("tokenizer.json")).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("tokenizer.json")] {
        let error = open(&path);
        assert_eq!(error.code(), "not_a_file");
        assert!(error.to_string().contains("tokenizer.json is not"), "{error}");
        assert!(!error.to_string().contains("tokenizer.json/"), "{error}");
    }
}

#[test]
fn a_huge_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = HuggingFaceTokenizer::open(&path, &Sidecars::default()).err().unwrap();
    assert_eq!(error.code(), "over_limit", "{error}");
}

#[test]
fn nesting_without_end_is_an_error() {
    for (open_with, close) in [("[", "]"), ("{\"type\":\"Sequence\",\"normalizers\":[", "]}"), ("{\"a\":", "}")] {
        let deep = format!("{}{}", open_with.repeat(100_000), close.repeat(100_000));
        let text = SOUND.replacen("\"padding\": null", &format!("\"padding\": {deep}"), 1);
        let _ = open(text);
        for section in
            ["\"normalizer\": ", "\"pre_tokenizer\": ", "\"post_processor\": ", "\"decoder\": ", "\"model\": "]
        {
            let text = SOUND.replacen(section, &format!("{section}{deep}, \"unused\": "), 1);
            assert!(open(text).is_err(), "{section}");
        }
    }
}

#[test]
fn contradictions_are_named() {
    let (message, code) = error(with("/model/vocab/he", json!(283)));
    assert!(message.starts_with("vocabulary: ") && message.ends_with("both have the id 283"), "{message}");
    assert_eq!(code, "malformed");
    let (message, _) = error(with("/model/merges/0", json!(["q", "q"])));
    assert_eq!(message, "merges: the vocabulary has no \"qq\", which a merge names");
    let (message, _) = error(with("/model/vocab/he", json!(4_194_304)));
    assert!(message.contains("expected ids below 4194304"), "{message}");
    let (message, code) = error(with("/added_tokens/0/id", json!(5_000_000)));
    assert_eq!((message.as_str(), code), ("id of an added token: 5000000, expected at most 4194304", "over_limit"));
    let (message, _) = error(with("/added_tokens/0/id", json!(7)));
    assert_eq!(message, "vocabulary: \"<0x04>\" and the added \"<unk>\" both have the id 7");
    let (message, _) = error(with("/model/unk_token", json!("<none>")));
    assert_eq!(message, "model: the vocabulary has no \"<none>\", which is its unk_token");
    let (message, _) = error(with("/post_processor/special_tokens/<s>/ids", json!([70_000])));
    assert_eq!(message, "special tokens: the vocabulary has no id 70000");
    let twice = json!([{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    let (message, _) = error(with("/post_processor/single", twice));
    assert_eq!(message, "post_processor: it does not give the text once");
    let (message, code) = error(with("/version", json!("2.0")));
    assert_eq!((message.as_str(), code), ("version \"2.0\" is not supported, expected 1.0", "unsupported"));
    let (_, code) = error(with("/decoder", json!({ "type": "CTC" })));
    assert_eq!(code, "unsupported");
    let (_, code) = error(with("/model/dropout", json!(0.1)));
    assert_eq!(code, "unsupported");
    let (_, code) = error(with("/model/type", json!("Magic")));
    assert_eq!(code, "unsupported");
}

#[test]
fn a_merge_longer_than_any_token_is_an_error() {
    let (message, _) = error(with("/model/merges/0", json!(["<|im_start|>", "<|im_start|>"])));
    assert!(message.contains("which a merge names"), "{message}");
}

#[test]
fn panics_of_the_library_are_errors() {
    let (message, code) = error(with("/normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "AAAA" })));
    assert!(message.starts_with("normalizer: "), "{message}");
    assert_eq!(code, "malformed");
    let tokenizer = open(with("/pre_tokenizer", json!({ "type": "FixedLength", "length": 0 }))).unwrap();
    let mut out = vec![Token(7)];
    let error = tokenizer.encode("some text", true, false, &mut out).unwrap_err();
    assert_eq!((error.code(), out), ("engine_failed", vec![Token(7)]));
}

#[test]
fn texts_do_not_grow_without_end() {
    let replace = json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "aaaaaaaaaa" });
    let (message, code) = error(with("/normalizer", json!({ "type": "Sequence", "normalizers": vec![replace; 9] })));
    assert_eq!(message, "times that a text may grow when normalized: 1000000000, expected at most 256");
    assert_eq!(code, "over_limit");
}

#[test]
fn expressions_that_backtrack_end() {
    // Doubles its work with every letter, in an engine that tries all ways.
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    for pattern in ["(?:a|aa)+$", "(?:a|a|aa)+(?=b)", "(?=(a+)+b)", "(a*)*\\1b"] {
        let Ok(tokenizer) = open(with("/pre_tokenizer", split(pattern))) else { continue };
        let started = Instant::now();
        let _ = tokenizer.encode(&"a".repeat(2000), false, false, &mut Vec::new());
        assert!(started.elapsed() < Duration::from_secs(10), "{pattern}: {:?}", started.elapsed());
    }
    // Each part may be tried at each place: what there are many of is an error, or cheap.
    let started = Instant::now();
    let tokenizer = open(with("/pre_tokenizer", split(&"(?=a)".repeat(300)))).unwrap();
    tokenizer.encode(&"abc".repeat(20_000), false, false, &mut Vec::new()).unwrap();
    for pattern in ["(?=a)".repeat(3000), "(?:(?=a)a?){3000}".into(), format!("(?:a*)*{}", "(?=a)".repeat(3000))] {
        let (message, code) = error(with("/pre_tokenizer", split(&pattern)));
        assert!(message.starts_with("parts of a regular expression") && code == "over_limit", "{message}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let started = Instant::now();
    let _ = open(with("/pre_tokenizer", split("((((a{1000}){1000}){1000}){1000})(?=b)")));
    let _ = open(with("/pre_tokenizer", split(&format!("{}{}", "(".repeat(50_000), ")".repeat(50_000)))));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn expressions_that_read_on_for_what_never_comes_take_no_square_time() {
    // Each reads to the end of the text, finds nothing, and begins again at the next letter.
    let patterns = [
        r"\p{L}+(?=\d)|\p{L}|.",
        "(a+)+b|(?=c)c",
        "a+b|.",
        r" ?\p{L}+'s|\s*\n|\p{L}|\s",
        r"(?>\p{L}+)1|\p{L}",
        r"\w+@\w+|\w",
        r"(?=\p{L}+\d)\p{L}+|(?!(?:a|aa)+b)\p{L}",
    ];
    for pattern in patterns {
        let split =
            json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        let tokenizer = open(with("/pre_tokenizer", split)).unwrap();
        let started = Instant::now();
        let mut out = Vec::new();
        tokenizer.encode(&"a".repeat(300_000), false, false, &mut out).unwrap();
        assert!(out.len() > 1000 && started.elapsed() < Duration::from_secs(10), "{pattern}: {:?}", started.elapsed());
    }
}

#[test]
fn a_long_word_takes_no_square_time() {
    let tokenizer = open(&*SOUND).unwrap();
    let started = Instant::now();
    let mut out = Vec::new();
    tokenizer.encode(&" the".repeat(100_000), false, false, &mut out).unwrap();
    assert_eq!(out.len(), 100_000);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
