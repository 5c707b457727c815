//! llama.cpp's own test vectors, and the edges of the table.

use std::fs;

use crate::common::{STORIES, load, shared, stories};
use trillm_core::{LoadOptions, Token};

const VOCABULARIES: [&str; 5] = ["bert-bge", "falcon", "gpt-2", "llama-spm", "phi-3"];

#[test]
fn vectors() {
    for name in VOCABULARIES {
        let Some(path) = shared(&format!("tokenizers/ggml-vocab-{name}.gguf")) else { return };
        let options = LoadOptions { vocabulary_only: true, ..LoadOptions::default() };
        let model = load(&path, &options).expect("the vocabulary loads");
        let beside = |end| fs::read_to_string(format!("{}.{end}", path.display())).expect("the vectors read");
        let (texts, ids) = (beside("inp"), beside("out"));
        let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").collect();
        let mut checked = 0;
        for (text, ids) in texts.iter().zip(ids.lines()) {
            let mut found = Vec::new();
            model.tokenizer().encode(text, false, false, &mut found).expect("the text tokenises");
            let expected: Vec<_> = ids.split_whitespace().map(|id| Token(id.parse().expect("a number"))).collect();
            assert_eq!(found, expected, "{name}: {text:?}");
            checked += 1;
        }
        assert!(checked >= 40, "{name}: {checked} texts");
    }
}

#[test]
fn the_table_of_a_sentencepiece_vocabulary() {
    let Some(model) = stories() else { return };
    let tokenizer = model.tokenizer();
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()), (Some(Token(1)), Some(Token(2)), true));
    assert!(tokenizer.is_end(Token(2)) && !tokenizer.is_end(Token(1)) && !tokenizer.is_end(Token(u32::MAX)));
    assert_eq!(tokenizer.spelling(Token(1)), Some("<s>"));
    assert_eq!((tokenizer.bytes(Token(1)), tokenizer.bytes(Token(u32::MAX))), (&[][..], &[][..]));
    assert_eq!((tokenizer.spelling(Token(512)), tokenizer.spelling(Token(u32::MAX))), (None, None));
    assert_eq!(tokenizer.bytes(Token(13)), b"\n", "a byte token");
    assert!(tokenizer.control().contains(&Token(1)) && tokenizer.control().contains(&Token(2)));
    let text = "Once upon a time, 五月 \u{1f600}\0 there";
    let mut ids = vec![Token(7)];
    tokenizer.encode(text, true, false, &mut ids).expect("the text tokenises");
    assert_eq!(ids[..2], [Token(7), Token(1)], "appended, with BOS");
    let bytes: Vec<u8> = ids[1..].iter().flat_map(|&id| tokenizer.bytes(id)).copied().collect();
    assert_eq!(String::from_utf8(bytes).expect("whole characters"), format!(" {text}"));
}

#[test]
fn control_tokens_in_a_text() {
    let Some(model) = stories() else { return };
    let encode = |parse| {
        let mut ids = Vec::new();
        model.tokenizer().encode("a</s>", false, parse, &mut ids).expect("the text tokenises");
        ids
    };
    assert_eq!(encode(true).last(), Some(&Token(2)));
    assert!(!encode(false).contains(&Token(2)));
}

#[test]
fn room_grows_for_short_tokens() {
    let Some(model) = stories() else { return };
    let mut ids = Vec::new();
    model.tokenizer().encode(&"\u{1}".repeat(5000), false, false, &mut ids).expect("the text tokenises");
    assert!(ids.len() >= 5000);
    model.tokenizer().encode("", false, false, &mut ids).expect("nothing tokenises");
}

#[test]
fn many_threads_at_once() {
    let Some(path) = shared(STORIES) else { return };
    let model = load(&path, &LoadOptions { vocabulary_only: true, ..LoadOptions::default() }).expect("it loads");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let mut ids = Vec::new();
                    model.tokenizer().encode("Once upon a time", true, false, &mut ids).expect("it tokenises");
                    assert_eq!(ids.len(), 5);
                }
            });
        }
    });
}
