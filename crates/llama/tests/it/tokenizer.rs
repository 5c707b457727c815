//! Our tokenizer against llama.cpp's, for every rule that cuts texts into words and for every kind of vocabulary.
//!
//! `TRILLM_ROUNDS` says how many texts each gets, and `TRILLM_SEED` where random numbers begin: `just fuzz tokenizer`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use trillm_core::{Token, Tokenizer};
use trillm_formats::gguf::{Head, Pre};
use trillm_testkit::models::gguf::{Gguf, Value};
use trillm_tokenizer::GgufTokenizer;

use crate::common::{STORIES, shared, stories};
use crate::reference::Reference;

/// Text with some of all that pre-tokenizers tell apart.
const SAMPLE: &str = "The quick brown fox doesn't jump over the lazy dog's 1234567 bones; we'll see (or won't we?) \
    what 3.14159 of them it'd take.\n\nfn main() {\n    let x = vec![1, 22, 333];\n\tprintln!(\"{x:?}\");\n}\r\n\
    Größe, naïve café — «Привет, мир!» 你好,世界。 こんにちは 안녕하세요 مرحبا हिन्दी 😀👍🏽 e\u{301} ½ ² Ⅷ   \u{a0}\u{3000} ";

/// Single characters that stand for their kinds.
const KINDS: &str = "aZé\u{301}ßЯя中あア한กا४7½Ⅷ²_-'\"!/\\|~^$€+=<>()[]{}.,;:。，！—…«»😀\u{200d}\u{fe0f}\u{a0}\u{3000}\u{2028}\u{85}\t\n\r \u{b}\u{0}\u{7f}\u{ad}ʰǅ";

/// What stands in texts as one.
const PHRASES: &[&str] = &[
    "'s",
    "'LL",
    "'re",
    "'T",
    "don't",
    " ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "\r\n",
    " \n",
    "\n ",
    "\t",
    "123",
    "1",
    "12",
    "1,234.5",
    "Hello",
    "hello",
    "HELLO",
    "world",
    " the",
    " The",
    "ing",
    "==",
    "//",
    "...",
    "</s>",
    "<s>",
    "<unk>",
    "<|im_end|>",
    "<|end|>",
    "<0x41>",
    "▁",
    "<dna>acgtacgtnn</dna>",
    "<sentinel:12>",
    "IMGIMGABZ",
    "中文",
    "日本語",
    "한국어",
];

/// Where llama.cpp gives other tokens than the models' own tokenizers, on purpose or not: what is left out here.
fn differs(rule: &str, character: char) -> bool {
    match rule {
        // Upper and lower case of letters beyond ASCII, and marks, are told apart there.
        "tekken" | "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" | "granite-embed-multi-97m" | "youtu" => {
            !character.is_ascii() && (character.is_alphabetic() || is_mark(character))
        }
        // Case is told apart there for all letters.
        "kimi-k2" => {
            character.is_ascii_uppercase() || !character.is_ascii() && (character.is_alphabetic() || is_mark(character))
        }
        // A number before a letter is none there; other kinds of digits are not grouped.
        "tiny_aya" | "cohere2moe" => {
            character.is_numeric() || !character.is_ascii() && (character.is_alphabetic() || is_mark(character))
        }
        // Only ASCII's digits are counted there for groups of three.
        "superbpe" => character.is_numeric() && !character.is_ascii(),
        // Groups of digits are cut off there from what no other rule cuts off.
        "afmoe" => character.is_numeric(),
        // A space beyond ASCII is only a space there, and not one of the signs that the rule lists, too.
        "deepseek-llm" | "deepseek-coder" => !character.is_ascii() && character.is_whitespace(),
        // Syllables of Korean stay whole there, and marks that take room are dropped.
        "bert-bge" => ('가'..='힣').contains(&character) || is_mark(character),
        // It has no tokens for some bytes. What is left out keeps its neighbours apart there, and not in the library.
        "falcon" => character.is_control() && !matches!(character, '\n' | '\r' | '\t') || character == '\u{ad}',
        // Control tokens are read out of plain texts there.
        "rwkv" => character == '<',
        _ => false,
    }
}

fn is_mark(character: char) -> bool {
    matches!(character, '\u{301}' | '\u{fe0f}' | 'ि' | '्' | 'ी' | '\u{200d}')
}

/// Numbers by `splitmix64`.
struct Random(u64);

impl Random {
    /// Uniform below `end`, which is far below 2^32: the bias does not matter here.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((value ^ (value >> 31)) >> 32) * end) >> 32
    }
}

fn rounds() -> u64 {
    std::env::var("TRILLM_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}

fn random() -> Random {
    Random(std::env::var("TRILLM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1))
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u64) as usize]
}

/// A short text.
fn text(random: &mut Random) -> String {
    let sample: Vec<char> = SAMPLE.chars().collect();
    let kinds: Vec<char> = KINDS.chars().collect();
    let mut text = String::new();
    for _ in 0..=random.below(12) {
        match random.below(6) {
            0 | 1 => text.push_str(pick::<&str>(random, PHRASES)),
            2 => text.push(*pick(random, &kinds)),
            3 => text.extend(std::iter::repeat_n(*pick(random, &kinds), 1 + random.below(9) as usize)),
            4 => {
                let from = random.below(sample.len() as u64) as usize;
                text.extend(&sample[from..(from + 1 + random.below(24) as usize).min(sample.len())]);
            }
            _ => text.push(char::from(32 + random.below(95) as u8)),
        }
    }
    text
}

/// Pairs that often stand side by side in [`SAMPLE`], the best first, and all that they spell.
fn merges(spelled: &str, count: usize) -> (Vec<String>, Vec<String>) {
    let mut words: Vec<Vec<String>> = spelled
        .split_inclusive(' ')
        .map(|word| word.chars().filter(|c| *c != ' ').map(String::from).collect())
        .collect();
    let (mut merges, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut pairs: HashMap<(String, String), usize> = HashMap::new();
        for word in &words {
            for pair in word.windows(2) {
                *pairs.entry((pair[0].clone(), pair[1].clone())).or_default() += 1;
            }
        }
        let Some((best, _)) = pairs.into_iter().max_by(|a, b| (a.1, &b.0).cmp(&(b.1, &a.0))) else { break };
        let joined = format!("{}{}", best.0, best.1);
        for word in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if word[at] == best.0 && word[at + 1] == best.1 {
                    word.splice(at..at + 2, [joined.clone()]);
                }
                at += 1;
            }
        }
        merges.push(format!("{} {}", best.0, best.1));
        if !tokens.contains(&joined) {
            tokens.push(joined);
        }
    }
    (merges, tokens)
}

/// GPT-2's alphabet, by the bytes it stands for.
fn alphabet() -> Vec<char> {
    let plain = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 0x100..;
    (0..=0xff_u32)
        .map(|byte| if plain(&byte) { byte } else { others.next().expect("there are more") })
        .map(|code| char::from_u32(code).expect("a character"))
        .collect()
}

fn write(name: &str, file: &Gguf) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.gguf"));
    std::fs::write(&path, file.bytes()).expect("a scratch file");
    path
}

/// A vocabulary for byte-pair encoding with this rule.
fn pairs(model: &str, pre: &str, spaces: bool) -> PathBuf {
    let alphabet = alphabet();
    let spelled: String = if spaces {
        SAMPLE.replace(' ', " ▁").replace('\n', " \n ")
    } else {
        // A boundary wherever any rule could have one does no harm.
        SAMPLE
            .split_inclusive(' ')
            .flat_map(|word| word.bytes().map(|byte| alphabet[usize::from(byte)]).chain([' ']))
            .collect()
    };
    let (merges, tokens) = merges(&spelled, 400);
    let mut words: Vec<String> =
        ["<unk>", "<s>", "</s>", "<|im_end|>", "<|end|>", "<dna>", "</dna>", "<oov>"].map(String::from).into();
    if model == "hybriddna" {
        words.extend(["ACGTAC\u{e000}", "GTAAAA\u{e000}"].map(String::from));
    }
    if spaces {
        words.extend((0..=255).map(|byte: u8| format!("<0x{byte:02X}>")));
        words.extend(
            "▁\nabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'()!?".chars().map(String::from),
        );
        words.push("\n\n".into());
    } else {
        words.extend(alphabet.iter().map(ToString::to_string));
    }
    for token in tokens {
        if !words.contains(&token) {
            words.push(token);
        }
    }
    let kind = |word: &str| match word {
        "<unk>" => 2,
        "<s>" | "</s>" => 3,
        "<|im_end|>" => 4,
        _ if word.starts_with("<0x") => 6,
        _ => 1,
    };
    let words: Vec<(&str, i32, f32)> = words.iter().map(|word| (word.as_str(), kind(word), 0.0)).collect();
    let file = Gguf::vocabulary(model, &words).without("tokenizer.ggml.scores").tokenizer(&[
        ("pre", pre.into()),
        ("merges", Value::array(merges.iter().map(String::as_str))),
        ("bos_token_id", 1u32.into()),
        ("eos_token_id", 2u32.into()),
    ]);
    write(&format!("{model}-{pre}"), &file)
}

/// Compares all that there is to compare, and says what differs first.
fn difference(path: &Path, rule: &str) -> Option<String> {
    let reference = Reference::load(path);
    let ours = GgufTokenizer::of(&Head::read(path).expect("a sound header")).expect("the tokenizer opens");
    assert_eq!(ours.vocabulary(), reference.tokens());
    for id in 0..reference.tokens() {
        let token = Token(id);
        let (bytes, expected) = (ours.bytes(token), reference.bytes(id));
        let (end, control) = (ours.is_end(token), ours.control().contains(&token));
        // What is not in GPT-2's alphabet is an error message there.
        let same = bytes == expected || rule == "whitespace";
        if !same || end != reference.is_end(id) || control != reference.is_control(id) {
            return Some(format!("{rule}: token {id} is {bytes:?} for {expected:?}, end {end}, control {control}"));
        }
    }
    let mut random = random();
    (0..rounds()).find_map(|round| {
        let text: String = text(&mut random).chars().filter(|&character| !differs(rule, character)).collect();
        let (add_special, parse_special) = (round % 3 == 0, round % 2 == 0);
        let mut found = Vec::new();
        ours.encode(&text, add_special, parse_special, &mut found).expect("it tokenises");
        let found: Vec<u32> = found.into_iter().map(|token| token.0).collect();
        let expected = reference.encode(&text, add_special, parse_special);
        (found != expected).then(|| {
            format!("{rule}, round {round}: {text:?}, {add_special}, {parse_special}:\n {found:?} for\n {expected:?}")
        })
    })
}

fn compare(path: &Path, rule: &str) {
    if let Some(difference) = difference(path, rule) {
        panic!("{difference}");
    }
}

#[test]
fn every_rule_is_llama_cpps() {
    // llama.cpp asserts that words have no spaces, so this one ends the process if the model is not named so too.
    let of_pre = Pre::names().filter(|pre| *pre != "whitespace").map(|pre| {
        let spaces = matches!(pre, "gemma4" | "granite-embed-multi-311m" | "mmbert" | "sarvam-moe");
        difference(&pairs("gpt2", pre, spaces), pre)
    });
    let of_model =
        [("gemma4", "", true), ("hybriddna", "gpt-2", false), ("gpt2", "", false), ("whitespace", "whitespace", true)]
            .map(|(model, pre, spaces)| difference(&pairs(model, pre, spaces), model));
    let differences: Vec<String> = of_pre.chain(of_model).flatten().collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn shared_vocabularies_are_llama_cpps() {
    for name in ["bert-bge", "falcon", "gpt-2", "llama-spm", "phi-3"] {
        let Some(path) = shared(&format!("tokenizers/ggml-vocab-{name}.gguf")) else { return };
        compare(&path, name);
    }
    let Some(path) = shared(STORIES) else { return };
    compare(&path, "stories");
}

/// A vocabulary without merges: pieces with scores.
fn pieces(model: &str, words: &[(&str, i32, f32)], keys: &[(&str, Value)]) -> PathBuf {
    write(&format!("{model}-{}", keys.len()), &Gguf::vocabulary(model, words).tokenizer(keys))
}

const PIECES: &[(&str, f32)] = &[
    ("▁", -2.0),
    ("▁the", -3.0),
    ("the", -5.0),
    ("t", -6.0),
    ("h", -6.5),
    ("e", -5.5),
    ("▁t", -4.0),
    ("he", -4.5),
    ("a", -5.0),
    ("▁a", -4.0),
    ("o", -5.2),
    ("l", -5.3),
    ("ll", -5.4),
    ("lo", -5.5),
    ("hello", -8.0),
    ("▁hello", -7.0),
    ("w", -6.1),
    ("or", -5.0),
    ("r", -6.0),
    ("d", -6.0),
    ("ld", -6.0),
    ("▁world", -7.5),
    ("1", -6.0),
    ("12", -6.5),
    ("123", -7.0),
    ("中", -8.0),
    ("中文", -8.5),
    ("é", -8.0),
    ("😀", -9.0),
    ("▁▁", -5.0),
    ("▁▁▁▁", -6.0),
    (".", -4.0),
    ("...", -6.0),
    ("=", -6.0),
    ("==", -6.0),
    ("\n", -6.0),
];

#[test]
fn unigrams_are_llama_cpps() {
    let mut words = vec![("<pad>", 3, 0.0), ("</s>", 3, 0.0), ("<unk>", 2, 0.0), ("<|im_end|>", 4, 0.0)];
    words.extend(PIECES.iter().map(|&(text, score)| (text, 1, score)));
    let key = |name, value| (name, Value::from(value));
    for keys in [
        &[][..],
        &[key("add_space_prefix", true)],
        &[key("add_space_prefix", true), key("remove_extra_whitespaces", true)],
        &[key("add_space_prefix", false), key("remove_extra_whitespaces", true), key("add_eos_token", false)],
    ] {
        compare(&pieces("t5", &words, keys), "t5");
    }
}

#[test]
fn longest_matches_are_llama_cpps() {
    let escaped: Vec<String> = (0..=255).map(|byte: u8| format!("\\x{byte:02x}")).collect();
    let mut words = vec![("<s>", 3, 0.0)];
    words.extend(escaped.iter().map(|text| (&**text, 1, 0.0)));
    words.extend(
        ["\\nn", "the", " the", "\\x68ello", "123", "\\xe4\\xb8\\xad", "==", "    "].map(|text| (text, 1, 0.0)),
    );
    compare(&pieces("rwkv", &words, &[]), "rwkv");
}

#[test]
fn plamos_are_llama_cpps() {
    let bytes: Vec<String> = (0..=255).map(|byte: u8| format!("<0x{byte:02X}>")).collect();
    let mut words = vec![
        ("<|plamo:unk|>", 2, 0.0),
        ("<|plamo:bos|>", 3, 0.0),
        ("<|plamo:eos|>", 3, 0.0),
        ("<|plamo:pad|>", 3, 0.0),
    ];
    words.extend(bytes.iter().map(|text| (&**text, 6, 0.0)));
    words.extend(PIECES.iter().filter(|(text, _)| !text.contains('▁')).map(|&(text, score)| (text, 1, score)));
    words.extend([(" ", 1, -3.0), (" the", 1, -4.0), ("  ", 1, -4.0), ("日本語", 1, -6.0), ("日本", 1, -5.0)]);
    compare(&pieces("plamo2", &words, &[("add_bos_token", true.into())]), "plamo2");
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
