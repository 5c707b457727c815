//! How the tokenizers of BERT's kind make words of a text.
//!
//! In transformers 5.24 these classes take the vocabulary alone from `tokenizer.json`; what comes before it they build
//! anew, from keys of `tokenizer_config.json` or, where those are absent, from defaults of their own. `ConvBertTokenizer`
//! does not: it has no constructor of its own, and the library then reads the file.

use serde_json::Value;

use super::fields::Fields;
use crate::{Result, json};

/// The fields of `BertNormalizer`, which stands before `BertPreTokenizer`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BertWords {
    /// `clean_text`: controls are dropped, and all spaces become one kind.
    pub cleans: bool,
    /// `handle_chinese_chars`: Chinese characters are words of their own.
    pub parts_chinese: bool,
    /// `None` leaves it to `lowercase`.
    pub strip_accents: Option<bool>,
    /// Letters lose their case.
    pub lowercase: bool,
}

/// Keys that a class follows.
#[derive(Clone, Copy)]
struct Follows {
    do_lower_case: bool,
    clean_text: bool,
}

const USUAL: Follows = Follows { do_lower_case: true, clean_text: false };
/// Classes that take the key for the case and do nothing with it.
const LOWER: Follows = Follows { do_lower_case: false, ..USUAL };

const CLASSES: [(&str, Follows); 8] = [
    ("BertTokenizer", USUAL),
    ("DPRContextEncoderTokenizer", LOWER),
    ("DPRQuestionEncoderTokenizer", LOWER),
    ("DPRReaderTokenizer", LOWER),
    ("DistilBertTokenizer", USUAL),
    ("FunnelTokenizer", Follows { clean_text: true, ..USUAL }),
    ("MPNetTokenizer", USUAL),
    ("SplinterTokenizer", USUAL),
];

/// What a class makes of `tokenizer_config.json`; `None` if it is not of BERT's kind.
pub(super) fn read(class: Option<&str>, config: &Fields<'_>) -> Result<Option<BertWords>> {
    let Some((_, follows)) = CLASSES.iter().find(|(known, _)| class == Some(known)) else { return Ok(None) };
    let flag = |key: &'static str, follows: bool| match config.raw(key) {
        Some(Value::Bool(flag)) if follows => Ok(*flag),
        Some(other) if follows => Err(config.wrong(key, json::excerpt(other), "true or false")),
        _ => Ok(true),
    };
    Ok(Some(BertWords {
        cleans: flag("clean_text", follows.clean_text)?,
        parts_chinese: flag("tokenize_chinese_chars", true)?,
        strip_accents: config.flag("strip_accents")?,
        lowercase: flag("do_lower_case", follows.do_lower_case)?,
    }))
}

impl BertWords {
    /// The section `normalizer` of a `tokenizer.json` that says the same.
    pub fn normalizer(self) -> String {
        let Self { cleans, parts_chinese, strip_accents, lowercase } = self;
        let strip_accents = strip_accents.map_or_else(|| "null".into(), |strips| strips.to_string());
        format!(
            r#"{{"type":"BertNormalizer","clean_text":{cleans},"handle_chinese_chars":{parts_chinese},"strip_accents":{strip_accents},"lowercase":{lowercase}}}"#
        )
    }
}
