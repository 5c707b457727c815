//! Attacks on tokenizers.

mod common;

use common::{Value, Writer, array, refused, vocabulary, words, words_only};

fn with(key: &str, value: impl Into<Value>) -> Writer {
    words_only().key(&format!("tokenizer.ggml.{key}"), value)
}

fn without(key: &str) -> Writer {
    words_only().without(&format!("tokenizer.ggml.{key}"))
}

/// The vocabulary with some words changed.
fn with_words(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Writer {
    let mut words = words();
    change(&mut words);
    with("tokens", array(&words))
}

/// The vocabulary with one word changed.
fn word(index: usize, word: &[u8]) -> Writer {
    with_words(|words| words[index] = word.to_vec())
}

/// A vocabulary of another algorithm, without scores and types.
fn of(model: &str, tokens: &[&str]) -> Writer {
    with("model", model)
        .without("tokenizer.ggml.scores")
        .without("tokenizer.ggml.token_type")
        .key("tokenizer.ggml.tokens", Value::array(tokens.iter().copied()))
}

fn merges(merges: &[&str]) -> Writer {
    of("gpt2", &["a", "b", "ab"]).key("tokenizer.ggml.merges", Value::array(merges.iter().copied()))
}

/// PLaMo-2: one word, then the bytes.
fn plamo(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Writer {
    with_words(change).key("tokenizer.ggml.model", "plamo2")
}

/// A unigram vocabulary with a table of character replacements: its size, its entries, the replacements.
fn charsmap(size: u32, nodes: &[u32], replacements: &[u8]) -> Writer {
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| node.to_le_bytes()).collect();
    let bytes = [&size.to_le_bytes()[..], &nodes, replacements].concat();
    of("t5", &["<pad>", "</s>", "<unk>"]).key("tokenizer.ggml.precompiled_charsmap", Value::array(bytes))
}

/// A table that replaces `a`: the root, at `a` a leaf, and behind that the place of the replacement.
fn trie(place: u32) -> Vec<u32> {
    let mut nodes = vec![0; 256];
    nodes[usize::from(b'a')] = u32::from(b'a') | 1 << 8 | (1 << 7) << 10;
    nodes[usize::from(b'a' ^ 0x80)] = 1 << 31 | place;
    nodes
}

refused! { vocabulary;
    model_missing: without("model") => "missing_key", "tokenizer.ggml.model";
    model_unknown: with("model", "magic") => "invalid_key", "\"magic\"";
    model_none: with("model", "no_vocab") => "invalid_key", "\"no_vocab\"";
    model_of_other_type: with("model", 1u32) => "invalid_key", "expected a string";
    architecture_unknown: words_only().key("general.architecture", "x")
        => "unsupported_architecture", "\"x\"";
    tokens_missing: without("tokens") => "missing_key", "tokenizer.ggml.tokens";
    tokens_empty: of("gpt2", &[]) => "invalid_key", "an empty array";
    tokens_of_numbers: with("tokens", Value::array([1u32, 2])) => "invalid_key", "an array of 2 u32";
    token_twice: word(5, b"<s>") => "invalid_key", "a token that was there before at index 5: \"<s>\"";
    token_twice_to_c: word(5, b"<s>\0x") => "invalid_key", "a token that was there before at index 5: \"<s>\"";
    token_twice_once_renamed: with_words(|words| {
        words[5].clear();
        words[6] = b"[EMPTY_5]".to_vec();
    }) => "invalid_key", "[EMPTY_5]";
    token_too_long: word(0, &[b'x'; 2049]) => "invalid_key", "a token of 2049 bytes";
    scores_too_few: with("scores", Value::array([0.0f32; 258])) => "invalid_key", "258 numbers, expected 259";
    scores_too_many: with("scores", Value::array([0.0f32; 260])) => "invalid_key", "260 numbers";
    scores_of_other_type: with("scores", Value::array([0u8; 259])) => "invalid_key", "an array of 259 u8";
    scores_not_an_array: with("scores", 0.0f32) => "invalid_key", "tokenizer.ggml.scores";
    score_nan: with("scores", Value::array([f32::NAN; 259])) => "invalid_key", "a NaN";
    types_too_few: with("token_type", Value::array([1i32; 258])) => "invalid_key", "258 numbers";
    types_of_other_type: with("token_type", Value::array([1u32; 259])) => "invalid_key", "an array of 259 u32";
    type_unknown: with("token_type", Value::array([7i32; 259])) => "invalid_key", "7 at index 0";
    type_negative: with("token_type", Value::array([-1i32; 259])) => "invalid_key", "0 to 6";

    byte_token_of_a_sign: word(3, b"<0x-1>") => "invalid_key", "a byte token at index 3: \"<0x-1>\"";
    byte_token_of_a_sign_beside_a_good_one: word(0, b"<0x-1>")
        .key("tokenizer.ggml.token_type", Value::array([6i32; 259]))
        => "invalid_key", "a byte token at index 0: \"<0x-1>\", expected two hexadecimal digits";
    byte_token_too_short: word(0, b"<0").key("tokenizer.ggml.token_type", Value::array([6i32; 259]))
        => "invalid_key", "\"<0\"";
    byte_missing_for_plamo: plamo(|words| words[3 + 0xff] = b"x".to_vec()).key("tokenizer.ggml.token_type",
        Value::array([2, 3, 3].into_iter().chain([6; 255]).chain([1]))) => "invalid_key", "a byte token <0xFF>";
    byte_token_of_a_sign_for_plamo: plamo(|words| words[3 + 0xff] = b"<0x-1>".to_vec()) => "invalid_key", "<0xFF>";
    byte_token_at_zero_for_plamo: plamo(|words| words.swap(0, 3))
        .key("tokenizer.ggml.token_type", Value::array([6i32; 259])) => "invalid_key", "<0x00>";
    byte_token_in_word_piece: of("bert", &["a", "<0x0A>"]).key("tokenizer.ggml.token_type", Value::array([1i32, 6]))
        => "invalid_key", "none in a WordPiece vocabulary";
    prefix_without_token_for_rwkv: of("rwkv", &["a", "\\x62c"])
        => "invalid_key", "a token whose beginning is none at index 1";

    pre_tokenizer_unknown: merges(&["a b"]).key("tokenizer.ggml.pre", "nobody's")
        => "invalid_key", "a pre-tokenizer that llama.cpp knows";

    merges_missing: of("gpt2", &["a", "b"]) => "missing_key", "tokenizer.ggml.merges";
    merges_of_numbers: of("gpt2", &["a"]).key("tokenizer.ggml.merges", Value::array([1u32]))
        => "invalid_key", "an array of 1 u32";
    merge_of_one_part: merges(&["a b", "ab"]) => "invalid_key", "\"ab\" at index 1";
    merge_of_nothing: merges(&[""]) => "invalid_key", "\"\" at index 0";
    merge_without_end: merges(&["a "]) => "invalid_key", "\"a \"";
    merge_without_beginning: merges(&[" a"]) => "invalid_key", "\" a\"";

    bos_added_and_missing: merges(&["a b"]).key("tokenizer.ggml.add_bos_token", true)
        => "invalid_key", "added to each text";
    bos_added_by_pre_tokenizer: merges(&["a b"]).key("tokenizer.ggml.pre", "llama-bpe")
        => "invalid_key", "bos_token_id";
    eos_added_and_missing: merges(&["a b"]).key("tokenizer.ggml.add_eos_token", true)
        => "invalid_key", "eos_token_id";
    bos_missing_in_word_piece: of("bert", &["a", "b"]) => "invalid_key", "tokenizer.ggml.bos_token_id";
    separator_missing_in_word_piece: of("bert", &["a", "b"]).key("tokenizer.ggml.bos_token_id", 0u32)
        => "invalid_key", "tokenizer.ggml.seperator_token_id";
    special_id_of_other_type: with("bos_token_id", 1i32) => "invalid_key", "1 (i32)";
    add_bos_of_other_type: with("add_bos_token", 1u8) => "invalid_key", "expected a boolean";

    charsmap_too_short: of("t5", &["a", "b", "c"]).key("tokenizer.ggml.precompiled_charsmap", Value::array([0u8; 3]))
        => "invalid_key", "less than four bytes";
    charsmap_of_other_type: of("t5", &["a", "b", "c"])
        .key("tokenizer.ggml.precompiled_charsmap", Value::array([0u32; 3]))
        => "invalid_key", "an array of 3 u32";
    charsmap_table_over_array: charsmap(4096, &trie(0), b"A\0") => "invalid_key", "a table longer than the array";
    charsmap_table_that_wraps: charsmap(u32::MAX, &trie(0), b"A\0") => "invalid_key", "a table longer than the array";
    charsmap_root_out_of_table: charsmap(8, &[0x7fff_0000, 0], b"A\0") => "invalid_key", "leads out of the table";
    charsmap_replacement_out_of_array: charsmap(1024, &trie(2), b"A\0")
        => "invalid_key", "a replacement without an end";
    charsmap_replacement_without_end: charsmap(1024, &trie(2), b"A\0B")
        => "invalid_key", "a replacement without an end";
}

#[test]
fn good_vocabularies_pass() {
    let good = [
        words_only(),
        merges(&["a b"]),
        of("rwkv", &["a", "b", "\\x62c", "\\n", "\\n\\n"]),
        of("bert", &["[CLS]", "[SEP]"])
            .key("tokenizer.ggml.bos_token_id", 0u32)
            .key("tokenizer.ggml.seperator_token_id", 1u32),
        plamo(|_| {}),
        charsmap(1024, &trie(0), b"A\0"),
        of("gpt2", &["a"]).key("tokenizer.ggml.pre", "kimi-k2"),
    ];
    for writer in good {
        vocabulary(&writer.bytes()).expect("accepted");
    }
}

#[test]
fn special_tokens_outside_the_vocabulary_are_noted() {
    let info = vocabulary(&with("padding_token_id", u32::MAX).bytes()).expect("accepted");
    let expected =
        "tokenizer.ggml.padding_token_id is 4294967295, outside the vocabulary of 259 tokens, and is ignored";
    assert_eq!(info.notes, [expected]);
}

#[test]
fn a_name_that_makes_a_model_phi_3_needs_its_tokens() {
    // llama.cpp looks four tokens up by `std::unordered_map::at` then; the tiny vocabulary lacks the last of them.
    for name in ["my-phi3-clone", "Phi-3-mini"] {
        refused(
            || vocabulary(&words_only().key("general.name", name).bytes()),
            "invalid_key",
            &format!(
                "the key general.name holds {name:?}, expected another name: llama.cpp takes this one for Phi-3's"
            ),
        );
        let tokens = of("gpt2", &["</s>", "<unk>", "<s>", "<|endoftext|>"]);
        let tokens = tokens.key("tokenizer.ggml.merges", Value::array([""; 0])).key("general.name", name);
        vocabulary(&tokens.bytes()).expect("accepted");
    }
    vocabulary(&words_only().key("general.name", "phi-4").bytes()).expect("accepted");
}

#[test]
fn a_missing_pre_tokenizer_is_noted() {
    let notes = |writer: Writer| vocabulary(&writer.bytes()).expect("accepted").notes;
    let found = notes(merges(&["a b"]));
    assert!(found.len() == 1 && found[0].starts_with("the file has no tokenizer.ggml.pre"), "{found:?}");
    assert!(notes(merges(&["a b"]).key("tokenizer.ggml.pre", "gpt-2")).is_empty());
    assert!(notes(words_only()).is_empty(), "others need none");
}

#[test]
fn byte_tokens_may_be_missing() {
    vocabulary(&with("token_type", Value::array([1i32; 259])).bytes()).expect("accepted");
    vocabulary(&of("llama", &["<unk>", "<s>", "</s>", "a"]).bytes()).expect("accepted");
}

#[test]
fn tokens_need_not_be_utf8() {
    vocabulary(&word(0, b"\xe2\x96").bytes()).expect("accepted");
}

/// As long as the limits allow, and with every entry walked: still no time.
#[test]
fn a_large_charsmap_takes_no_time() {
    let size = (4 << 20) - 8;
    let nodes: Vec<u32> = (0..size / 4).map(|index| index & 0xff | (index & !0xff) << 2).collect();
    let start = std::time::Instant::now();
    drop(vocabulary(&charsmap(size, &nodes, b"A\0").bytes()));
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
}
