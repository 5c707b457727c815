//! Texts of tokens are those that the library `tokenizers` makes of them, for every kind of decoder.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

use proptest::prelude::*;
use serde_json::{Value, json};
use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;
use trillm_tokenizer::HuggingFaceTokenizer;

/// Tokens of all the spellings that decoders know; the last three are added, and the last is a control token.
const WORDS: [&str; 28] = [
    "▁the", "▁man", "go", "go</w>", "</w>", "##ing", "##", "▁a▁b", "a▁", "▁", "<0x41>", "<0xE2>", "<0x82>", "<0xAC>",
    "<0xF0>", "Ġgo", "é", "Ã", "©", "don", "n't", ".", "HHeHH", " ", "'", "<mask>", "é x", "<s>",
];

const GO: u32 = 2;

/// Ids, and the texts that they are.
type Texts = &'static [(&'static [u32], &'static str)];

fn replace(kind: &str, pattern: &str) -> Value {
    json!({ "type": "Replace", "pattern": { kind: pattern }, "content": " " })
}

fn metaspace(scheme: &str) -> Value {
    json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true })
}

fn byte_level() -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true })
}

fn strip(content: &str, stop: usize) -> Value {
    json!({ "type": "Strip", "content": content, "start": 1, "stop": stop })
}

fn word_piece(prefix: &str, cleanup: bool) -> Value {
    json!({ "type": "WordPiece", "prefix": prefix, "cleanup": cleanup })
}

fn part(kind: &str) -> Value {
    json!({ "type": kind })
}

fn suffix() -> Value {
    json!({ "type": "BPEDecoder", "suffix": "</w>" })
}

fn sequence(decoders: &[Value]) -> Value {
    json!({ "type": "Sequence", "decoders": decoders })
}

fn llama() -> Value {
    sequence(&[replace("String", "▁"), part("ByteFallback"), part("Fuse"), strip(" ", 0)])
}

fn file(decoder: &Value) -> String {
    normalizing(&Value::Null, WORDS[26], decoder)
}

/// A file whose last added token that is none of control is this, and is looked for in normalized texts.
fn normalizing(normalizer: &Value, last: &str, decoder: &Value) -> String {
    let added = |id: usize| {
        json!({ "id": id, "content": if id == 26 { last } else { WORDS[id] }, "special": id == 27, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": id == 26 })
    };
    let vocab: serde_json::Map<String, Value> =
        WORDS[..25].iter().zip(0..).map(|(word, id): (_, u32)| ((*word).to_owned(), id.into())).collect();
    json!({
        "version": "1.0", "added_tokens": [added(25), added(26), added(27)], "normalizer": normalizer,
        "pre_tokenizer": null, "post_processor": null, "decoder": decoder,
        "model": { "type": "WordLevel", "unk_token": "go", "vocab": vocab },
    })
    .to_string()
}

fn ours(decoder: &Value) -> HuggingFaceTokenizer {
    open(&file(decoder))
}

fn open(file: &str) -> HuggingFaceTokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, file).unwrap();
    HuggingFaceTokenizer::open(&path, &Sidecars::default()).unwrap()
}

fn decode(tokenizer: &HuggingFaceTokenizer, ids: &[u32]) -> String {
    tokenizer.decode(&ids.iter().map(|&id| Token(id)).collect::<Vec<_>>())
}

/// What the Python package `tokenizers` 0.23 gives.
#[test]
fn the_ends_of_a_text_and_bytes_that_are_no_text() {
    let cases: [(&str, Value, Texts); 11] = [
        ("suffix", suffix(), &[(&[3, 2, 3], "go gogo"), (&[3, 4], "go "), (&[3], "go"), (&[], "")]),
        ("first", metaspace("first"), &[(&[7, 1, 8], "ab mana "), (&[9, 9, 0], "  the"), (&[27, 0, 25], "the<mask>")]),
        ("never", metaspace("never"), &[(&[7, 1, 8], " a b mana "), (&[9, 9, 0], "   the")]),
        (
            "llama",
            llama(),
            &[(&[7, 1], "a b man"), (&[11, 12, 13], "€"), (&[11, 12], "��"), (&[0, 11, 12, 13, 11, 2], "the����go")],
        ),
        (
            "pieces",
            word_piece("##", true),
            &[(&[2, 5, 5, 21], "goinging."), (&[5, 2], "##ing go"), (&[19, 20, 21], "donn't.")],
        ),
        ("no prefix", word_piece("", false), &[(&[2, 2, 21], "gogo.")]),
        ("bytes", byte_level(), &[(&[15, 16, 17, 18], " go�é"), (&[2, 26, 25], "goé x<mask>")]),
        ("none", Value::Null, &[(&[2, 5, 21], "go ##ing ."), (&[27, 2, 2], "go go")]),
        ("matches", sequence(&[replace("Regex", "▁+"), strip("H", 1)]), &[(&[22, 2, 22, 0], "HeHgoHeH the")]),
        ("fused", sequence(&[part("Fuse"), suffix()]), &[(&[3, 2, 3], "gogogo")]),
        ("bytes in pieces", sequence(&[part("ByteFallback"), metaspace("always")]), &[(&[10, 11, 0], "�� the")]),
    ];
    for (name, decoder, texts) in cases {
        let tokenizer = ours(&decoder);
        for (ids, expected) in texts {
            assert_eq!(decode(&tokenizer, ids), *expected, "{name}: {ids:?}");
        }
    }
}

/// What the Python package `tokenizers` 0.23 gives, and the library.
#[test]
fn an_added_token_comes_back_as_it_is_normalized() {
    let prepend = json!({ "type": "Prepend", "prepend": "▁" });
    let spaces = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let both = json!({ "type": "Sequence", "normalizers": [prepend, spaces] });
    let alphabet = json!({ "type": "Sequence", "normalizers": [part("Lowercase"), part("ByteLevel")] });
    // Only the library reads this one.
    let unknown = json!({ "type": "Sequence", "normalizers": [part("Lowercase"),
        { "type": "Replace", "pattern": { "String": "" }, "content": "" }] });
    for (normalizer, last, decoder, expected) in [
        (part("Lowercase"), "FOÓ x", Value::Null, "go foó x go"),
        (part("NFD"), "ü", Value::Null, "go u\u{308} go"),
        (part("Lowercase"), "FOO", byte_level(), "gofoogo"),
        (both.clone(), "FOO x", llama(), "go FOO xgo"),
        (both, "FOO x", metaspace("first"), "go FOO xgo"),
        (alphabet, "É x", byte_level(), "goé xgo"),
        (unknown, "FOO", Value::Null, "go foo go"),
    ] {
        let file = normalizing(&normalizer, last, &decoder);
        let (tokenizer, library) = (open(&file), file.parse::<tokenizers::Tokenizer>().unwrap());
        let ids = [GO, 26, GO];
        assert_eq!(decode(&tokenizer, &ids), expected, "{normalizer} {decoder}");
        assert_eq!(library.decode(&ids, true).unwrap(), expected, "{normalizer} {decoder}");
        let pieces: Vec<u8> = ids.into_iter().flat_map(|id| tokenizer.bytes(Token(id)).to_vec()).collect();
        assert_eq!(String::from_utf8(pieces).unwrap().trim_start(), expected, "{normalizer} {decoder}");
        assert_eq!(tokenizer.spelling(Token(26)), Some(last));
    }
    // The alphabet is for what the model spells in it: here the library makes U+FFFD.
    let file = normalizing(&part("Lowercase"), "É", &byte_level());
    assert_eq!(decode(&open(&file), &[26]), "é");
}

/// Chains of any steps. What reads whole words comes at the library's panics for texts shorter than it strips.
fn chains() -> impl Strategy<Value = Value> {
    let step = prop::sample::select(vec![
        suffix(),
        metaspace("always"),
        metaspace("never"),
        replace("String", "▁"),
        replace("Regex", "▁+|H"),
        part("ByteFallback"),
        part("Fuse"),
        strip(" ", 0),
        word_piece("##", true),
        word_piece("", false),
        byte_level(),
    ]);
    prop_oneof![
        1 => Just(llama()),
        3 => prop::collection::vec(step, 1..5).prop_map(|steps| sequence(&steps)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_chain_decodes_as_the_library_does(chain in chains(), ids in prop::collection::vec(0..28_u32, 1..9)) {
        let library: tokenizers::Tokenizer = file(&chain).parse().unwrap();
        prop_assert_eq!(decode(&ours(&chain), &ids), library.decode(&ids, true).unwrap(), "{}", chain);
    }

    /// A stream goes on behind a text, and others may follow.
    #[test]
    fn pieces_of_a_stream_are_the_text_between_others(ids in prop::collection::vec(0..27_u32, 0..9)) {
        for decoder in [suffix(), metaspace("first"), llama(), word_piece("##", true), byte_level(), Value::Null] {
            let tokenizer = ours(&decoder);
            let bytes = |id: u32| tokenizer.bytes(Token(id)).to_vec();
            let within: Vec<u8> = ids.iter().copied().flat_map(bytes).collect();
            // Of bytes that are no text, the library makes signs of its own.
            let Ok(within) = String::from_utf8(within) else { continue };
            let all: Vec<u32> = [GO].into_iter().chain(ids.iter().copied()).chain([GO]).collect();
            let end = String::from_utf8(bytes(GO)).unwrap();
            prop_assert_eq!(decode(&tokenizer, &all), format!("go{within}{end}"), "{}", decoder);
        }
    }
}
