//! Vocabularies, judged by what they do: the library `tokenizers` must cut texts as llama.cpp does.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tokenizers::Tokenizer;
use trillm_core::{Class, Coded};
use trillm_formats::Gguf;
use trillm_formats::huggingface::Sidecars;
use trillm_testkit::shared_data;

use super::{read_vocabulary, tokenizer, tokenizer_config};
use crate::gguf::{self, Keys};
use crate::pre::Pre;
use crate::vocabulary::{Kind, Method, Special, Token, Vocabulary};

/// The vocabulary of a GGUF file, and the architecture it was made for.
fn read_gguf(name: &str) -> Option<(Vocabulary, String)> {
    let path = shared_data()?.join("tokenizers").join(name);
    let bytes = fs::read(&path).unwrap();
    let parsed = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    let keys = Keys::new(&parsed).unwrap();
    Some((gguf::read_vocabulary(&keys, &mut Vec::new()).unwrap(), keys.architecture().into()))
}

/// Writes the two files of a vocabulary into a new folder and reads them again.
fn there_and_back(vocabulary: &Vocabulary) -> Vocabulary {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    write("tokenizer.json", tokenizer(vocabulary, "llama").unwrap());
    write("tokenizer_config.json", tokenizer_config(vocabulary, 128, false));
    let sidecars = Sidecars { end_ids: vocabulary.ends(), ..Sidecars::open(folder.path()).unwrap() };
    read_vocabulary(folder.path(), &sidecars, vocabulary.tokens.len() as u32, &mut Vec::new()).unwrap()
}

/// Compares with the ids that llama.cpp gives each text.
fn check_texts(name: &str, vocabulary: &Vocabulary) {
    // Phi-3's way with spaces is one of its special tokens alone, and the texts hold none.
    let tokenizer: Tokenizer = tokenizer(vocabulary, "llama").unwrap().to_string().parse().unwrap();
    let folder = shared_data().unwrap().join("tokenizers");
    let texts = fs::read_to_string(folder.join(format!("{name}.inp"))).unwrap();
    let expected = fs::read_to_string(folder.join(format!("{name}.out"))).unwrap();
    let mut compared = 0;
    for (text, ids) in texts.split("\n__ggml_vocab_test__\n").zip(expected.lines()) {
        let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let found = tokenizer.encode(text, false).unwrap();
        assert_eq!(found.get_ids(), ids, "{name}: {text:?}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

const NAMES: [&str; 3] = ["ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf", "ggml-vocab-gpt-2.gguf"];

#[test]
fn texts_are_cut_as_llama_cpp_cuts_them() {
    for name in NAMES {
        let Some((vocabulary, _)) = read_gguf(name) else { return };
        check_texts(name, &vocabulary);
    }
}

#[test]
fn a_vocabulary_survives_both_formats() {
    for name in NAMES {
        let Some((vocabulary, _)) = read_gguf(name) else { return };
        let back = there_and_back(&vocabulary);
        assert_eq!(back.special.bos, vocabulary.special.bos, "{name}");
        assert_eq!(back.special.eos, vocabulary.special.eos, "{name}");
        assert_eq!(back.special.add_bos, vocabulary.special.add_bos, "{name}");
        // An old file, which calls the token for the unknown a control token, and fillers unknown.
        let odd = if name.contains("phi-3") { std::iter::once(0).chain(32_011..32_064).collect() } else { Vec::new() };
        assert_eq!(changed(&back, &vocabulary), odd, "{name}");
        // Scores are made anew, but say the same.
        check_texts(name, &back);
        check_texts(name, &there_and_back(&back));
    }
}

/// Ids of tokens that differ.
fn changed(a: &Vocabulary, b: &Vocabulary) -> Vec<usize> {
    (0..a.tokens.len().min(b.tokens.len())).filter(|&id| a.tokens[id] != b.tokens[id]).collect()
}

#[test]
fn files_of_others_are_read() {
    let Some(data) = shared_data() else { return };
    let read = |name: &str, rows| {
        read_vocabulary(&data.join("tokenizers").join(name), &Sidecars::default(), rows, &mut Vec::new()).unwrap()
    };
    let gpt2 = read("gpt2", 50_257);
    let Method::Merges { pre, merges } = &gpt2.method else { panic!("{:?}", gpt2.special) };
    assert_eq!((pre.name(), merges.len()), ("gpt-2", 50_000));
    let (expected, _) = read_gguf("ggml-vocab-gpt-2.gguf").unwrap();
    assert_eq!(changed(&gpt2, &expected), Vec::<usize>::new());
    assert!(gpt2.method == expected.method);

    let phi3 = read("phi3", 32_064);
    let Method::Scores { space_prefix, .. } = phi3.method else { panic!("{:?}", phi3.special) };
    assert!(space_prefix);
    let (expected, _) = read_gguf("ggml-vocab-phi-3.gguf").unwrap();
    // The token for the unknown, which the GGUF file calls a control token.
    assert_eq!(changed(&phi3, &expected).into_iter().filter(|&id| id < 32_000).collect::<Vec<_>>(), [0]);
    check_texts("ggml-vocab-phi-3.gguf", &phi3);
}

/// A byte-level vocabulary of a few tokens.
fn small() -> Vocabulary {
    let token = |text: &str, kind| Token { text: text.into(), kind };
    let mut tokens: Vec<Token> = ["a", "b", "ab", "Ġ"].map(|text| token(text, Kind::Normal)).into();
    tokens.push(token("<|end|>", Kind::Control));
    tokens.push(token("[PAD5]", Kind::Unused));
    tokens.push(token("<tool>", Kind::UserDefined));
    Vocabulary {
        method: Method::Merges { pre: Pre::named("llama-bpe").unwrap(), merges: vec![("a".into(), "b".into())] },
        tokens,
        special: Special { bos: Some(4), eos: Some(4), add_bos: true, ..Special::default() },
        found: BTreeMap::new(),
        chat_templates: Some("{{ messages }}".to_owned()).into(),
    }
}

#[test]
fn gaps_and_added_tokens_keep_their_numbers() {
    let vocabulary = small();
    assert_eq!(there_and_back(&vocabulary), vocabulary);
    let tokenizer: Tokenizer = tokenizer(&vocabulary, "llama").unwrap().to_string().parse().unwrap();
    let ids = |text: &str, special| tokenizer.encode(text, special).unwrap().get_ids().to_vec();
    assert_eq!(ids("ab<tool>b<|end|>", false), [2, 6, 1, 4]);
    assert_eq!(ids("ab", true), [4, 2]);
    assert_eq!(tokenizer.id_to_token(5), None);
}

#[test]
fn a_marker_that_a_file_does_not_call_special_is_a_control_token() {
    let folder = tempfile::tempdir().unwrap();
    for (text, kind) in [
        ("<｜User｜>", Kind::Control),
        ("<|user|>", Kind::Control),
        ("<unused3>", Kind::Control),
        ("<tool>", Kind::UserDefined),
        ("  ", Kind::UserDefined),
    ] {
        let mut vocabulary = small();
        vocabulary.tokens[6].text = text.into();
        // From GGUF, where it is user-defined.
        let mut file = tokenizer(&vocabulary, "llama").unwrap();
        let added = file["added_tokens"].as_array_mut().unwrap().last_mut().unwrap();
        assert_eq!((&added["content"], &added["special"]), (&json!(text), &json!(kind == Kind::Control)));
        // And to GGUF, from a file that says it is not special.
        added["special"] = json!(false);
        fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        let read = read_vocabulary(folder.path(), &Sidecars::default(), 7, &mut Vec::new()).unwrap();
        assert_eq!(read.tokens[6], Token { text: text.into(), kind });
    }
}

#[test]
fn what_llama_cpp_cannot_do_is_an_error() {
    type Change<'c> = &'c dyn Fn(&mut Value);
    let folder = tempfile::tempdir().unwrap();
    let read = |change: Change<'_>| {
        let mut value = tokenizer(&small(), "llama").unwrap();
        change(&mut value);
        fs::write(folder.path().join("tokenizer.json"), value.to_string()).unwrap();
        read_vocabulary(folder.path(), &Sidecars::default(), 7, &mut Vec::new())
    };
    assert!(read(&|_| {}).is_ok());
    let cases: [(&str, Change<'_>); 4] = [
        ("Unigram", &|value| value["model"] = json!({ "type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0]] })),
        ("Lowercase", &|value| value["normalizer"] = json!({ "type": "Lowercase" })),
        ("\\d", &|value| value["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("\\d")),
        ("BertPreTokenizer", &|value| value["pre_tokenizer"] = json!({ "type": "BertPreTokenizer" })),
    ];
    for (word, change) in cases {
        let error = read(change).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    // What is damaged is told as to those who load it.
    let error = read(&|value| value["model"]["merges"] = json!([["a"]])).unwrap_err();
    assert_eq!((error.kind(), error.hint().is_some()), ((Class::Format, "malformed"), true), "{error}");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let error = read_vocabulary(folder.path(), &Sidecars::default(), 7, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), (Class::NotFound, "missing_tokenizer"));
}

#[test]
fn what_a_gguf_file_cannot_tell_apart_is_refused() {
    let read = |mut added: Value, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["single_word", "lstrip", "rstrip", "normalized", "special"] {
            added[name] = json!(false);
        }
        let file = json!({
            "added_tokens": [added],
            "normalizer": { "type": "Prepend", "prepend": "▁" },
            "model": { "type": "BPE", "vocab": { "<unk>": 0, "<0x41>": 1, text: 2 }, "merges": [], "byte_fallback": true },
        });
        fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        read_vocabulary(folder.path(), &Sidecars::default(), 4, &mut Vec::new()).map_err(|error| error.to_string())
    };
    assert_eq!(read(json!({ "id": 3, "content": "<0x4>" }), "a").unwrap().tokens[1].kind, Kind::Byte);
    for id in [1, 3] {
        let error = read(json!({ "id": id, "content": "<0x41>" }), "a").unwrap_err();
        assert!(error.contains("\"<0x41>\"") && error.contains("spelled like a byte"), "{error}");
    }
    let error = read(json!({ "id": 3, "content": "a" }), "a").unwrap_err();
    assert!(error.contains("\"a\"") && error.contains("distinct"), "{error}");
}
