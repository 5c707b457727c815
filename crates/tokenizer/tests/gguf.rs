//! Tokenizers of GGUF files against llama.cpp's own vectors.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::fs;

use common::{alphabet, encode, on_a_small_stack};
use trillm_core::{Guarded, Token, Tokenizer};
use trillm_formats::gguf::{Head, Pre};
use trillm_testkit::models::gguf::{Gguf, Value};
use trillm_testkit::shared_data;
use trillm_tokenizer::GgufTokenizer;

const VOCABULARIES: [&str; 5] = ["bert-bge", "falcon", "gpt-2", "llama-spm", "phi-3"];

#[test]
fn llama_cpps_vectors() {
    for name in VOCABULARIES {
        let Some(shared) = shared_data() else { return };
        let path = shared.join(format!("tokenizers/ggml-vocab-{name}.gguf"));
        let tokenizer = GgufTokenizer::of(&Head::read(&path).unwrap()).unwrap();
        let beside = |end| fs::read_to_string(format!("{}.{end}", path.display())).unwrap();
        let (texts, ids) = (beside("inp"), beside("out"));
        let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").collect();
        assert_eq!(texts.len(), ids.lines().count() + 1);
        for (text, ids) in texts.iter().zip(ids.lines()) {
            let expected: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
            assert_eq!(encode(&tokenizer, text, false, false), expected, "{name}: {text:?}");
        }
    }
}

fn open(file: &Gguf) -> GgufTokenizer {
    let bytes = file.header();
    let file = trillm_formats::Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    GgufTokenizer::new(&file.tokenizer().unwrap()).unwrap()
}

/// A vocabulary of these words with types and scores.
fn words(model: &str, words: &[(&str, i32, f32)], keys: &[(&str, Value)]) -> GgufTokenizer {
    open(&Gguf::vocabulary(model, words).tokenizer(keys))
}

/// A vocabulary for byte-pair encoding.
fn pairs(pre: &str, words: &[&str], merges: &[&str]) -> Gguf {
    Gguf::default().key("general.architecture", "llama").tokenizer(&[
        ("model", "gpt2".into()),
        ("pre", pre.into()),
        ("tokens", Value::array(words.iter().copied())),
        ("merges", Value::array(merges.iter().copied())),
    ])
}

/// A byte-level vocabulary with a few merges, cut by this rule.
fn byte_level(pre: &str) -> GgufTokenizer {
    let alphabet = alphabet();
    let merges = ["a a", "aa aa", "= =", "== ==", "Ġ Ġ", "ĠĠ ĠĠ", "Ċ Ċ", "ð Ł", "ðŁ ĺ", "ðŁĺ Ģ", "1 1", "11 1", "A A"];
    let joined: Vec<String> = merges.iter().map(|merge| merge.replace(' ', "")).collect();
    let all: Vec<&str> = alphabet.iter().chain(&joined).map(String::as_str).collect();
    open(&pairs(pre, &all, &merges).tokenizer(&[("bos_token_id", 0u32.into())]))
}

/// A vocabulary in the manner of SentencePiece, with tokens of some lengths.
const PIECES: [(&str, i32, f32); 14] = [
    ("<unk>", 2, 0.0),
    ("<s>", 3, 0.0),
    ("</s>", 3, 0.0),
    ("▁", 1, -1.0),
    ("a", 1, -2.0),
    ("b", 1, -2.5),
    ("ab", 1, -3.0),
    ("▁a", 1, -3.5),
    ("</", 1, -4.0),
    ("s>", 1, -4.0),
    ("aa", 1, -4.5),
    ("aaaa", 1, -5.0),
    ("▁▁", 1, -5.0),
    ("=", 1, -6.0),
];

/// Linear, or this would not come to an end: 40,000 of a character are 10^9 steps to what takes their square, and a frame each to recursion.
#[test]
fn a_long_run_of_anything_has_tokens() {
    let spelled =
        |pre: &&str| !matches!(*pre, "gemma4" | "granite-embed-multi-311m" | "mmbert" | "sarvam-moe" | "whitespace");
    let (alphabet, others): (Vec<&str>, Vec<&str>) = Pre::names().partition(spelled);
    let mut tokenizers: Vec<(&str, GgufTokenizer)> = alphabet.iter().map(|&pre| (pre, byte_level(pre))).collect();
    let whole = tokenizers.len();
    tokenizers.extend(others.iter().map(|&pre| (pre, byte_level(pre))));
    for model in ["llama", "t5"] {
        tokenizers.push((model, words(model, &PIECES, &[("add_space_prefix", true.into())])));
    }
    let bert = [("bos_token_id", 1u32), ("seperator_token_id", 2), ("unknown_token_id", 0)]
        .map(|(key, id)| (key, Value::from(id)));
    tokenizers.push(("bert", words("bert", &PIECES, &bert)));
    let runs =
        ["=", " ", "a", "A", "1", "\n", "\t ", " \n", "中", "é", "\u{301}", "😀", "'", "a ", "A1", "\u{0}", "'s"];
    on_a_small_stack(|| {
        for (at, (name, tokenizer)) in tokenizers.iter().enumerate() {
            for run in runs {
                let text = run.repeat(40_000);
                let ids = encode(tokenizer, &text, false, false);
                // The others have no tokens for some characters.
                if at < whole {
                    let bytes: usize = ids.iter().map(|&id| tokenizer.bytes(Token(id)).len()).sum();
                    assert_eq!(bytes, text.len(), "{name}: {run:?}");
                }
            }
        }
    });
}

#[test]
fn merges_of_a_long_word_are_those_of_short_ones() {
    let tokenizer = byte_level("gpt-2");
    let id = |text: &str| encode(&tokenizer, text, false, false)[0];
    // Leftmost first: 100,001 letters are fours, and one that is left over.
    let ids = encode(&tokenizer, &"a".repeat(100_001), false, false);
    assert_eq!(ids.len(), 25_001);
    assert!(ids[..25_000].iter().all(|&four| four == id("aaaa")) && ids[25_000] == id("a"));
}

#[test]
fn without_byte_tokens_what_is_not_known_is_the_unknown_token() {
    let tokenizer = words("llama", &PIECES, &[]);
    // In a row it is one, as in SentencePiece.
    assert_eq!(encode(&tokenizer, "ab漢字b c", true, false), [1, 3, 6, 0, 5, 3, 0]);
    assert_eq!(encode(&tokenizer, "漢 字", false, false), [3, 0, 3, 0]);
    assert!(encode(&tokenizer, "", false, false).is_empty());
}

#[test]
fn plain_texts_have_no_control_tokens() {
    let tokenizer = words("llama", &PIECES, &[]);
    assert_eq!(encode(&tokenizer, "</s>", false, false), [3, 8, 9]);
    assert_eq!(encode(&tokenizer, "</s>", false, true), [2]);
}

/// The tokens of a text that others wrote, of which none may be one of `tokens`.
fn guarded(tokenizer: &GgufTokenizer, text: &str, tokens: &[u32]) -> Vec<u32> {
    let tokens: Vec<Token> = tokens.iter().copied().map(Token).collect();
    let (mut out, whole) = (Vec::new(), 0..text.len());
    let guarded = Guarded { tokens: &tokens, ranges: std::slice::from_ref(&whole) };
    tokenizer.encode_guarded(text, guarded, &mut out).unwrap();
    out.into_iter().map(|token| token.0).collect()
}

#[test]
fn a_control_token_that_is_a_word_or_a_sign_is_text() {
    // llama.cpp looks a token up by its text, whatever its type.
    let all = ["!", "h", "i", "t", "e", "th", "the", "<", ">", "<e", "<e>"];
    let types = [3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 3];
    let file = pairs("gpt-2", &all, &["t h", "th e", "< e", "<e >"]);
    let tokenizer = open(&file.tokenizer(&[("token_type", Value::array(types))]));
    assert_eq!(encode(&tokenizer, "hi!!", false, false), [1, 2, 0, 0]);
    assert_eq!(encode(&tokenizer, "the", false, false), [6]);
    // What is neither stays a name that no text becomes.
    assert_eq!(encode(&tokenizer, "<e>", false, false), [7, 4, 8]);
    // From others only what has no other token.
    assert_eq!(guarded(&tokenizer, "the!", &[0, 6]), [5, 4, 0]);

    let mut pieces = PIECES.to_vec();
    pieces.extend([("!", 3, 0.0), ("ba", 3, 0.0), ("<0x21>", 6, 0.0), ("<0x62>", 6, 0.0)]);
    for model in ["llama", "t5"] {
        let tokenizer = words(model, &pieces, &[("add_space_prefix", false.into())]);
        assert_eq!(encode(&tokenizer, "ba!", false, false), [15, 14], "{model}");
        assert_eq!(guarded(&tokenizer, "ba", &[14, 15]), [5, 4], "{model}");
    }
    let tokenizer = words("llama", &pieces, &[("add_space_prefix", false.into())]);
    assert_eq!(guarded(&tokenizer, "b!", &[14, 15]), [5, 16]);
}

#[test]
fn no_pieces_join_to_a_guarded_token() {
    let mut pieces = PIECES.to_vec();
    pieces.extend([("</s>>", 4, 0.0), (">", 1, -7.0), ("bb", 1, 0.0), ("abb", 4, 0.0)]);
    let tokenizer = words("llama", &pieces, &[("add_space_prefix", false.into())]);
    assert_eq!(encode(&tokenizer, "</s>>", false, false), [14]);
    // Their scores: `bb` before all others.
    for _ in 0..2 {
        assert_eq!(guarded(&tokenizer, "</s>>", &[2, 14, 17]), [8, 9, 15]);
        assert_eq!(guarded(&tokenizer, "abb", &[14, 17]), [4, 16]);
    }
    // The longest match is no way to it either.
    let tokenizer = words("rwkv", &[("<", 1, 0.0), ("e", 1, 0.0), (">", 1, 0.0), ("<e>", 4, 0.0)], &[]);
    assert_eq!(encode(&tokenizer, "<e>", false, false), [3]);
    assert_eq!(guarded(&tokenizer, "<e>", &[3]), [0, 1, 2]);
}

#[test]
fn user_defined_tokens_are_read_out_of_any_text() {
    let mut pieces = PIECES.to_vec();
    pieces.push(("<|user|>", 4, 0.0));
    let tokenizer = words("llama", &pieces, &[]);
    assert_eq!(encode(&tokenizer, "ab<|user|>a", false, false), [3, 6, 14, 7]);
    assert_eq!(tokenizer.bytes(Token(14)), b"<|user|>");
    assert!(!tokenizer.control().contains(&Token(14)));
}

#[test]
fn merges_may_go_through_what_is_no_token() {
    // `ab` is none, and `abc` is.
    let tokenizer = open(&pairs("gpt-2", &["a", "b", "c", "abc", "d"], &["a b", "ab c", "c d", "x y"]));
    assert_eq!(encode(&tokenizer, "abc", false, false), [3]);
    assert_eq!(encode(&tokenizer, "abd", false, false), [0, 1, 4]);
    assert_eq!(encode(&tokenizer, "cd", false, false), [2, 4]);
}
