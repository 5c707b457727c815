//! The forms of `tokenizer.json` in which models are published that are no byte-pair encoding, and what stands around
//! models in all: tokens and texts as the library has them, and for texts of any length.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::collections::BTreeMap;

use common::{charsmap, detokenize, encode, on_a_small_stack};
use proptest::prelude::*;
use serde_json::{Value, json};
use trillm_core::{Coded, Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_tokenizer::HuggingFaceTokenizer;

/// What pieces of words are taken from.
const SAMPLE: &str = "the quick brown fox jumps over a lazy dog and don't stop going, it's TM 12345 Größe naïve façade \
                      привет мир नमस्ते हिन्दी 日本語 東京 한국어 العربية e\u{301}te\u{301} go... [x] wait!? 50% <a> #1 -- fi fi";

/// Every beginning, end and letter of the sample's words, up to five characters.
fn pieces() -> Vec<String> {
    let mut pieces = Vec::new();
    for word in SAMPLE.split(' ') {
        let characters: Vec<char> = word.chars().collect();
        for length in 1..=5.min(characters.len()) {
            pieces.extend(characters.windows(length).map(|piece| piece.iter().collect::<String>()));
        }
    }
    pieces.sort();
    pieces.dedup();
    // Some characters have no token.
    pieces.retain(|piece| !piece.contains(['q', 'z', 'ф', '京', 'é']));
    pieces
}

fn added(id: usize, content: &str, normalized: bool) -> Value {
    json!({ "id": id, "content": content, "single_word": false, "lstrip": content == "<mask>", "rstrip": false, "normalized": normalized, "special": true })
}

fn file(normalizer: &Value, pre_tokenizer: &Value, decoder: &Value, added_tokens: &[Value], model: &Value) -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added_tokens, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
    })
}

/// A `WordPiece` model with these words around it.
fn word_piece(normalizer: &Value, pre_tokenizer: &Value) -> Value {
    let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let within = pieces().into_iter().step_by(2).map(|piece| format!("##{piece}"));
    let vocab: BTreeMap<String, usize> = names.into_iter().chain(pieces()).chain(within).zip(0..).collect();
    let model = json!({ "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 12, "vocab": vocab });
    let decoder = json!({ "type": "WordPiece", "prefix": "##", "cleanup": true });
    file(normalizer, pre_tokenizer, &decoder, &[added(1, "[UNK]", false), added(3, "[SEP]", false)], &model)
}

fn bert(clean_text: bool, chinese: bool, strip_accents: Option<bool>, lowercase: bool) -> Value {
    json!({ "type": "BertNormalizer", "clean_text": clean_text, "handle_chinese_chars": chinese, "strip_accents": strip_accents, "lowercase": lowercase })
}

/// A Unigram model, in which some bytes have tokens if `fallback`.
fn unigram(normalizer: &Value, pre_tokenizer: &Value, bytes: usize) -> Value {
    let names = ["<pad>", "</s>", "<unk>"].map(|name| (name.to_owned(), 0.0));
    let bytes_of = (0..bytes).map(|byte| (format!("<0x{byte:02X}>"), 0.0));
    // Scores that many ways share, and none of them in order.
    let score = |piece: &String| -3.0 - f64::from(piece.bytes().map(u32::from).sum::<u32>() % 7) / 2.0;
    let words = pieces().into_iter().step_by(2).map(|piece| format!("▁{piece}"));
    let all = pieces().into_iter().chain(words).chain(["▁".into(), "▁▁".into()]);
    let vocab: Vec<(String, f64)> = names
        .into_iter()
        .chain(bytes_of)
        .chain(all.map(|piece| {
            let score = score(&piece);
            (piece, score)
        }))
        .collect();
    let end = vocab.len();
    let metaspace = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
    let model = json!({ "type": "Unigram", "unk_id": 2, "byte_fallback": bytes > 0, "vocab": vocab });
    let tokens = [added(1, "</s>", false), added(2, "<unk>", false), added(end, "<mask>", true)];
    file(normalizer, pre_tokenizer, &metaspace, &tokens, &model)
}

fn precompiled() -> Value {
    json!({ "type": "Precompiled", "precompiled_charsmap": charsmap(&[
        ("Ａ", "A"), ("ﬁ", "fi"), ("\u{3000}", " "), ("\n", " "), ("\t", " "), ("™", "TM"), ("\u{1e}", ""), ("e\u{301}", "é"),
        ("é", "e\u{301}"), ("ｶﾞ", "ガ"), ("\u{200b}", " "), ("…", "..."), ("ن\u{64e}", "ن"), ("\r", ""), ("x", "x"), ("한", "ᄒ"),
    ]) })
}

fn sequence(key: &str, parts: &[Value]) -> Value {
    json!({ "type": "Sequence", key: parts })
}

fn replace(pattern: &Value, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": pattern, "content": content })
}

fn metaspace(scheme: &str) -> Value {
    json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true })
}

fn split(pattern: &Value, behavior: &str, invert: bool) -> Value {
    json!({ "type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert })
}

/// Forms of which no published model is known.
fn rare() -> [(&'static str, Value); 4] {
    let part = |kind: &str| json!({ "type": kind });
    let around =
        split(&json!({ "Regex": r"\p{L}+(?=\p{P})|(?<=\p{L})\s+|(?>[a-m]+)\p{N}|\p{L}|." }), "Isolated", false);
    let mut single = word_piece(&part("Lowercase"), &part("BertPreTokenizer"));
    let end = single["model"]["vocab"].as_object().unwrap().len();
    let tokens = single["added_tokens"].as_array_mut().unwrap();
    for (id, text, normalized) in [(end, "quick", true), (end + 1, "lazy", false), (end + 2, "zz", false)] {
        let mut token = added(id, text, normalized);
        token["single_word"] = true.into();
        tokens.push(token);
    }
    [
        ("looking around", word_piece(&json!(null), &around)),
        ("fixed length", word_piece(&json!(null), &json!({ "type": "FixedLength", "length": 3 }))),
        ("characters for bytes", word_piece(&part("ByteLevel"), &part("WhitespaceSplit"))),
        ("words of their own", single),
    ]
}

/// Each form, with its name.
fn forms() -> Vec<(String, Value)> {
    let part = |kind: &str| json!({ "type": kind });
    let words = part("BertPreTokenizer");
    let spaces = replace(&json!({ "Regex": " {2,}" }), " ");
    let t5 = sequence("pretokenizers", &[part("WhitespaceSplit"), metaspace("always")]);
    let mut forms = vec![
        ("bert uncased", word_piece(&bert(true, true, None, true), &words)),
        ("bert cased", word_piece(&bert(true, true, None, false), &words)),
        ("bert with accents", word_piece(&bert(true, false, Some(false), true), &words)),
        ("bert uncleaned", word_piece(&bert(false, true, Some(true), false), &words)),
        ("t5", unigram(&precompiled(), &t5, 0)),
        ("xlm-roberta", unigram(&sequence("normalizers", &[precompiled(), spaces.clone()]), &metaspace("always"), 0)),
        (
            "old t5",
            unigram(
                &precompiled(),
                &json!({ "type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": true }),
                0,
            ),
        ),
        (
            "albert",
            unigram(
                &sequence(
                    "normalizers",
                    &[
                        replace(&json!({ "String": "``" }), "\""),
                        replace(&json!({ "String": "''" }), "\""),
                        part("NFKD"),
                        part("StripAccents"),
                        part("Lowercase"),
                        precompiled(),
                        spaces.clone(),
                    ],
                ),
                &t5,
                0,
            ),
        ),
        (
            "deberta",
            unigram(
                &sequence(
                    "normalizers",
                    &[
                        json!({ "type": "Strip", "strip_left": true, "strip_right": true }),
                        precompiled(),
                        spaces.clone(),
                    ],
                ),
                &metaspace("always"),
                0,
            ),
        ),
        ("nmt", unigram(&sequence("normalizers", &[part("Nmt"), part("NFKC"), spaces]), &metaspace("first"), 0)),
        ("unigram with bytes", unigram(&json!(null), &metaspace("never"), 256)),
        ("unigram with some bytes", unigram(&json!(null), &metaspace("never"), 0xe0)),
        ("unigram of whole texts", unigram(&replace(&json!({ "String": " " }), "▁"), &json!(null), 0)),
        (
            "strip",
            word_piece(&json!({ "type": "Strip", "strip_left": false, "strip_right": true }), &part("WhitespaceSplit")),
        ),
        ("whitespace", word_piece(&part("NFD"), &part("Whitespace"))),
        ("punctuation removed", word_piece(&json!(null), &json!({ "type": "Punctuation", "behavior": "Removed" }))),
        ("punctuation in a row", word_piece(&json!(null), &json!({ "type": "Punctuation", "behavior": "Contiguous" }))),
        ("delimiter", word_piece(&json!(null), &json!({ "type": "CharDelimiterSplit", "delimiter": "o" }))),
        (
            "digits",
            word_piece(
                &json!(null),
                &sequence(
                    "pretokenizers",
                    &[part("Punctuation"), json!({ "type": "Digits", "individual_digits": true })],
                ),
            ),
        ),
    ];
    forms.extend(rare());
    let names = ["MergedWithPrevious", "MergedWithNext", "Contiguous", "Removed", "Isolated"];
    let patterns = [json!({ "String": " " }), json!({ "Regex": r"\s|\p{P}" })];
    let mut all: Vec<(String, Value)> = forms.drain(..).map(|(name, form)| (name.to_owned(), form)).collect();
    for (pattern, invert) in patterns.iter().flat_map(|pattern| [(pattern, false), (pattern, true)]) {
        for behavior in names {
            let form = word_piece(&json!(null), &split(pattern, behavior, invert));
            all.push((format!("{behavior} {pattern} {invert}"), form));
        }
    }
    let vocab: BTreeMap<String, usize> = ["[UNK]".to_owned()].into_iter().chain(pieces()).zip(0..).collect();
    let level = json!({ "type": "WordLevel", "unk_token": "[UNK]", "vocab": vocab });
    all.push(("words".into(), file(&part("Lowercase"), &part("Whitespace"), &json!(null), &[], &level)));
    all
}

fn open(form: &Value) -> HuggingFaceTokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, form.to_string()).unwrap();
    HuggingFaceTokenizer::open(&path, &Sidecars::default()).unwrap()
}

fn texts() -> impl Strategy<Value = String> {
    let words: Vec<&str> = SAMPLE.split(' ').collect();
    let odd = vec![
        "  ",
        " ",
        "   ",
        "\n",
        "\r\n",
        "\t",
        "[SEP]",
        "<mask>",
        " <mask>",
        "▁",
        "``",
        "''",
        "Ａ",
        "ﬁ",
        "\u{3000}",
        "™",
        "\u{1e}",
        "é",
        "e\u{301}",
        "\u{301}",
        "\u{323}",
        "ｶﾞ",
        "\u{200b}",
        "…",
        "ن\u{64e}",
        "한",
        "漢",
        "👍🏽",
        "👨\u{200d}👩",
        "🇩🇪🇫",
        "\u{fffd}",
        "\u{0}",
        "\u{b}",
        "\u{85}",
        "\u{a0}",
        "İ",
        "ß",
        "Ǆ",
        "##",
        "q",
        "zz",
        "①",
        "\u{f900}",
        "क्\u{200d}ष",
        "goinggoinggoing",
        "\u{1d165}\u{1d16e}",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(words).prop_map(String::from),
        4 => Just(" ".to_owned()),
        3 => prop::sample::select(odd).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

#[test]
fn tokens_and_texts_are_those_of_the_library() {
    let mut config = ProptestConfig::with_cases(400);
    config.failure_persistence = None;
    for (name, form) in forms() {
        let library: tokenizers::Tokenizer = form.to_string().parse().unwrap();
        let tokenizer = open(&form);
        proptest!(config.clone(), |(text in texts())| {
            let expected = library.encode_fast(&*text, false).unwrap().get_ids().to_vec();
            let found = encode(&tokenizer, &text, false, true);
            prop_assert_eq!(&found, &expected, "{}", name);
            // Bytes of half a character stay out of the comparison: the library writes a sign for each.
            let decoded = library.decode(&expected, true).unwrap();
            let bytes: Vec<u8> = found.iter().flat_map(|&id| tokenizer.bytes(Token(id))).copied().collect();
            // The library does not take the prefix from a token at the beginning, which is the middle of a text to us.
            let mut shown = found.iter().filter(|&&id| !tokenizer.control().contains(&Token(id)));
            let first = shown.find_map(|&id| tokenizer.spelling(Token(id)));
            let within = first.is_some_and(|text| text.starts_with("##"));
            if let (Ok(ours), false) = (String::from_utf8(bytes), within || name.contains("bytes")) {
                prop_assert_eq!(ours.trim_start(), decoded.trim_start(), "{}", name);
            }
        });
    }
}

#[test]
fn a_long_run_of_anything_has_tokens() {
    let tokenizers: Vec<(String, HuggingFaceTokenizer)> =
        forms().into_iter().map(|(name, form)| (name, open(&form))).collect();
    let runs = [
        "=", " ", "a", "A", "1", "\n", "\t ", " \n", "中", "é", "\u{301}", "😀", "🇩", "'", "a ", "A1", "\u{0}",
        "\u{200d}", "\u{3000}", "q",
    ];
    on_a_small_stack(|| {
        for (name, tokenizer) in &tokenizers {
            for run in runs {
                let ids = encode(tokenizer, &run.repeat(40_000), false, false);
                assert!(ids.len() <= 3 * run.len() * 40_000, "{name}: {run:?}");
            }
        }
        // Ten megabytes, where a megabyte is a word of its own.
        for name in ["bert uncased", "t5", "albert", "unigram of whole texts", "words"] {
            let (_, tokenizer) = tokenizers.iter().find(|(other, _)| other == name).unwrap();
            for run in ["a", " ", "中", "\u{301}", "😀"] {
                let ids = encode(tokenizer, &run.repeat(10_000_000 / run.len()), false, false);
                assert!(ids.len() <= 10_000_002, "{name}: {run:?}");
            }
        }
    });
}

#[test]
fn a_word_over_the_files_limit_is_unknown() {
    let vocab = json!({ "[UNK]": 0, "é": 1, "##é": 2 });
    let model = json!({ "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 4, "vocab": vocab });
    let whitespace = json!({ "type": "WhitespaceSplit" });
    let tokenizer = open(&file(&json!(null), &whitespace, &json!(null), &[], &model));
    // Characters, whatever they take in bytes.
    assert_eq!(encode(&tokenizer, "éééé ééééé éa", false, false), [1, 2, 2, 2, 0, 0]);
}

#[test]
fn plain_texts_have_no_control_tokens() {
    for (name, form) in forms() {
        let tokenizer = open(&form);
        for text in ["</s>", "a</s>b", " <pad></s>", "[SEP]", "##[SEP]", "<mask>"] {
            let ids = encode(&tokenizer, text, false, false);
            let unknown = if form["model"]["type"] == "Unigram" { 2 } else { 1 };
            let is_control = |id: &u32| *id != unknown && tokenizer.control().contains(&Token(*id));
            assert!(!ids.iter().any(is_control), "{name}: {text:?}: {ids:?}");
        }
    }
}

#[test]
fn a_text_without_tokens_is_an_error() {
    let without = |mut form: Value, key: &str| {
        form["model"][key] = Value::Null;
        open(&form)
    };
    let forms = [
        without(unigram(&json!(null), &metaspace("always"), 0), "unk_id"),
        without(word_piece(&json!(null), &json!({ "type": "Whitespace" })), "unk_token"),
    ];
    for tokenizer in forms {
        let mut out = vec![Token(7)];
        assert_eq!(detokenize(&tokenizer, &encode(&tokenizer, "fox", false, false)).trim(), "fox");
        let error = tokenizer.encode("fox 漢", false, false, &mut out).unwrap_err();
        assert_eq!((error.code(), out), ("engine_failed", vec![Token(7)]));
    }
}

#[test]
fn a_files_own_expressions_mean_what_the_library_takes_them_for() {
    // Ids of tokenizers 0.23 for Python, which takes Oniguruma; the crate that other tests compare with takes another.
    let vocab = json!({ "[UNK]": 0, "a": 1, "b": 2, "\n": 3, "_": 4, "½": 5, "\u{200d}": 6, "_b": 7, "x": 8 });
    let model = json!({ "type": "BPE", "unk_token": "[UNK]", "vocab": vocab, "merges": [["_", "b"]] });
    let replaced = |regex: &str| json!({ "type": "Replace", "pattern": { "Regex": regex }, "content": "_" });
    let removed = |regex: &str, invert: bool| json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Removed", "invert": invert });
    let null = Value::Null;
    let cut = |regex: &str, behavior: &str| json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": behavior, "invert": false });
    let cases: [(Value, Value, &str, &[u32]); 14] = [
        (replaced("^b"), null.clone(), "a\nb", &[1, 3, 4]),
        (replaced("a$"), null.clone(), "a\nb", &[4, 3, 2]),
        (null.clone(), removed("^b", false), "a\nb", &[1, 3]),
        (replaced(r"\w"), null.clone(), "½a", &[4, 4]),
        (replaced(r"\w"), null.clone(), "\u{200d}", &[6]),
        (replaced(r"\b"), null.clone(), "a½b", &[4, 1, 5, 2, 4]),
        (null.clone(), removed(r"\w+", false), "a½b", &[]),
        (null.clone(), removed(r"\w+", true), "a\u{200d}b", &[1, 2]),
        // Matches of nothing.
        (replaced("a*"), null.clone(), "bab", &[7, 7, 4]),
        (replaced("^|b"), null.clone(), "ab\n", &[4, 1, 4, 3]),
        (replaced("x?"), null.clone(), "", &[]),
        (null.clone(), cut("(?=b)", "Isolated"), "_b_bb", &[4, 2, 4, 2, 2]),
        (null.clone(), cut("(?<=_|xb)", "MergedWithPrevious"), "_bxb_b", &[4, 2, 8, 2, 4, 2]),
        (null.clone(), cut("(?=_)", "MergedWithNext"), "a_b_b", &[1, 7, 7]),
    ];
    for (normalizer, pre_tokenizer, text, expected) in cases {
        let file = file(&normalizer, &pre_tokenizer, &null, &[], &model);
        let tokenizer = open(&file);
        assert_eq!(encode(&tokenizer, text, true, true), expected, "{file} {text:?}");
    }
    // Those of the decoder, too.
    let upper = json!({ "type": "Replace", "pattern": { "Regex": "[[:upper:]]|^x" }, "content": "-" });
    let decoder = json!({ "type": "Sequence", "decoders": [upper, { "type": "Fuse" }] });
    let vocab = json!({ "[UNK]": 0, "É": 1, "x": 2, "½": 3 });
    let model = json!({ "type": "BPE", "unk_token": "[UNK]", "vocab": vocab, "merges": [] });
    let tokenizer = open(&file(&null, &null, &decoder, &[], &model));
    assert_eq!(detokenize(&tokenizer, &[1, 2, 3, 1]), "--½-");
}
