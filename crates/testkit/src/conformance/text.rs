//! The tokenizer.

use trillm_core::{Model, Token};

const TEXTS: [&str; 9] = [
    "the",
    "Once upon a time, there was a little girl.",
    "two  spaces,\ttabs\nand\n\nlines\r\n",
    "naïve café, Straße, Ωmega",
    "日本語のテキスト",
    "😀 👩‍👩‍👧‍👦 🇩🇪",
    "fn main() { println!(\"{}\", 0xff + 1e-9); }",
    "\u{1}\u{7f}\u{feff}",
    " leading and trailing ",
];

fn encode(model: &dyn Model, text: &str, add_special: bool, parse_special: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    model.tokenizer().encode(text, add_special, parse_special, &mut tokens).expect("encode");
    tokens
}

fn bytes(model: &dyn Model, tokens: &[Token]) -> Vec<u8> {
    tokens.iter().flat_map(|&token| model.tokenizer().bytes(token)).copied().collect()
}

/// The bytes of a text's tokens are the text, characters that span tokens included; some tokenizers put a space first.
pub fn text_survives_tokens(model: &dyn Model) {
    for text in TEXTS {
        let tokens = encode(model, text, false, false);
        let found = bytes(model, &tokens);
        let found = found.strip_prefix(b" ").filter(|found| found.len() == text.len()).unwrap_or(&found);
        assert_eq!(String::from_utf8_lossy(found), text);
    }
    assert!(encode(model, "", false, false).is_empty(), "an empty text has no tokens");

    // `encode` appends.
    let mut tokens = vec![Token(0)];
    model.tokenizer().encode("the", false, false, &mut tokens).expect("encode");
    assert_eq!(tokens, [vec![Token(0)], encode(model, "the", false, false)].concat());
}

/// Control tokens written in a text are text, unless the caller says otherwise.
pub fn control_tokens_come_only_when_asked_for(model: &dyn Model) {
    let tokenizer = model.tokenizer();
    for &token in tokenizer.control() {
        let spelling = tokenizer.spelling(token).expect("a control token is spelled somehow");
        assert!(tokenizer.bytes(token).is_empty(), "{spelling} has no text");
        assert_eq!(encode(model, spelling, false, true), [token], "{spelling}");
        let text = encode(model, spelling, false, false);
        assert!(text.iter().all(|token| !tokenizer.control().contains(token)), "{spelling} as text: {text:?}");
        let between = encode(model, &format!("a{spelling}b"), false, true);
        assert!(between.contains(&token), "{spelling} between letters: {between:?}");
    }
}

/// What the tokenizer says of itself holds together, and the model's facts say the same.
pub fn info_and_tokenizer_agree(model: &dyn Model) {
    let (info, tokenizer) = (model.info(), model.tokenizer());
    let vocabulary = tokenizer.vocabulary();
    assert_eq!(info.vocabulary, vocabulary);
    assert_eq!(super::driver::Driver::new(model).limits.row, vocabulary, "length of a row of scores");
    assert!(!info.engine.is_empty() && !info.device.is_empty() && !info.weights.is_empty(), "{info:?}");

    for token in [Token(vocabulary), Token(u32::MAX)] {
        assert!(tokenizer.bytes(token).is_empty(), "{token:?} is not in the vocabulary");
        assert_eq!(tokenizer.spelling(token), None);
        assert!(!tokenizer.is_end(token));
    }
    let special = [tokenizer.bos(), tokenizer.eos()].into_iter().flatten();
    assert!(special.chain(tokenizer.control().iter().copied()).all(|token| token.0 < vocabulary));
    assert!(tokenizer.eos().is_none_or(|eos| tokenizer.is_end(eos)), "EOS ends a text");

    let first = encode(model, "the", true, false).first().copied();
    assert_eq!(tokenizer.adds_bos(), first.is_some() && first == tokenizer.bos(), "BOS first");
    let plain = encode(model, "the", false, false);
    assert!(tokenizer.bos().is_none_or(|bos| !plain.contains(&bos)), "BOS was not asked for");
}
