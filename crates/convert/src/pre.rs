//! How text is cut into words before a byte-level vocabulary is applied.
//!
//! GGUF names the way (`tokenizer.ggml.pre`); `tokenizer.json` spells it out in regular expressions. Each entry here is
//! a name that `llama-vocab.cpp` knows with the expressions of the models it was made for. A name or an expression that
//! is not here is an error: a near miss would split some texts otherwise, and nobody would notice.

use serde_json::{Value, json};

use crate::{Error, Result};

/// Llama 3.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// `cl100k_base`, as Phi-4 writes it: the same cuts as Llama 3, with possessive quantifiers.
const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
/// Qwen 2 and 3: each digit is a word.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Mistral's Tekken.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// `o200k_base`, which Phi-4-mini uses.
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A way to cut text.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Pre {
    /// Names in GGUF, the usual one first.
    names: &'static [&'static str],
    cuts: Cuts,
    /// A word that is a token is one, whatever the merges say.
    pub(crate) ignore_merges: bool,
    /// The models' `tokenizer.json` brings text to NFC first. llama.cpp does not.
    pub(crate) nfc: bool,
    /// Whether a text begins with BOS where the file does not say.
    pub(crate) adds_bos: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Cuts {
    /// GPT-2's expression, which the byte-level step has built in.
    Gpt2,
    /// The same, after each digit became a word.
    DigitsThenGpt2,
    /// One expression. The first is written, the others are understood too.
    Expression(&'static [&'static str]),
}

const fn pre(names: &'static [&'static str], cuts: Cuts) -> Pre {
    Pre { names, cuts, ignore_merges: false, nfc: false, adds_bos: false }
}

const PRES: &[Pre] = &[
    Pre {
        ignore_merges: true,
        adds_bos: true,
        ..pre(&["llama-bpe", "llama3", "llama-v3"], Cuts::Expression(&[LLAMA3]))
    },
    pre(&["smaug-bpe"], Cuts::Expression(&[LLAMA3])),
    pre(&["dbrx"], Cuts::Expression(&[LLAMA3, CL100K])),
    Pre { nfc: true, ..pre(&["qwen2", "deepseek-r1-qwen", "megrez"], Cuts::Expression(&[QWEN2])) },
    pre(&["smollm", "starcoder", "refact"], Cuts::DigitsThenGpt2),
    pre(&["gpt-2", "mpt"], Cuts::Gpt2),
    Pre { ignore_merges: true, adds_bos: true, ..pre(&["tekken"], Cuts::Expression(&[TEKKEN])) },
    // Tekken's merges come from its tokens, so the flag makes no difference and some files leave it out.
    Pre { adds_bos: true, ..pre(&["tekken"], Cuts::Expression(&[TEKKEN])) },
    pre(&["gpt-4o"], Cuts::Expression(&[O200K])),
];

impl Pre {
    /// The name in GGUF.
    pub(crate) fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Looks up `tokenizer.ggml.pre`.
    pub(crate) fn named(name: &str) -> Result<&'static Self> {
        PRES.iter().find(|pre| pre.names.contains(&name)).ok_or_else(|| {
            let known: Vec<&str> = PRES.iter().flat_map(|pre| pre.names).copied().collect();
            Error::unsupported("tokenizer.ggml.pre", format!("{name:?}"), format!("one of {}", known.join(", ")))
        })
    }

    /// Recognises the `pre_tokenizer` of a `tokenizer.json`.
    pub(crate) fn recognize(value: &Value, ignore_merges: bool) -> Result<&'static Self> {
        let steps = match value["type"].as_str() {
            Some("Sequence") => value["pretokenizers"].as_array().map_or(&[][..], Vec::as_slice),
            _ => std::slice::from_ref(value),
        };
        let byte_level = |step: &Value, with_expression: bool| {
            step["type"] == "ByteLevel"
                && step["add_prefix_space"] == false
                // Older files do not have the key, which then is true.
                && step["use_regex"].as_bool().unwrap_or(true) == with_expression
        };
        let matches = |cuts: &Cuts| match (cuts, steps) {
            (Cuts::Gpt2, [bytes]) => byte_level(bytes, true),
            (Cuts::DigitsThenGpt2, [digits, bytes]) => {
                digits["type"] == "Digits" && digits["individual_digits"] == true && byte_level(bytes, true)
            }
            (Cuts::Expression(known), [split, bytes]) => {
                split["type"] == "Split"
                    && split["behavior"] == "Isolated"
                    && split["invert"] != true
                    && known.iter().any(|known| split["pattern"]["Regex"] == **known)
                    && byte_level(bytes, false)
            }
            _ => false,
        };
        PRES.iter().find(|pre| pre.ignore_merges == ignore_merges && matches(&pre.cuts)).ok_or_else(|| {
            Error::unsupported(
                "the pre_tokenizer of tokenizer.json",
                format!("{value}, with ignore_merges {ignore_merges}"),
                "one that llama.cpp has a name for",
            )
        })
    }

    /// The `pre_tokenizer` of a `tokenizer.json`.
    pub(crate) fn to_json(&self) -> Value {
        let bytes = |with_expression: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": with_expression });
        let first = match self.cuts {
            Cuts::Gpt2 => return bytes(true),
            Cuts::DigitsThenGpt2 => json!({ "type": "Digits", "individual_digits": true }),
            Cuts::Expression(expressions) => json!({
                "type": "Split",
                "pattern": { "Regex": expressions[0] },
                "behavior": "Isolated",
                "invert": false,
            }),
        };
        json!({ "type": "Sequence", "pretokenizers": [first, bytes(self.cuts == Cuts::DigitsThenGpt2)] })
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::Coded;

    use super::*;

    #[test]
    fn what_is_written_is_recognised() {
        for pre in PRES {
            let found = Pre::recognize(&pre.to_json(), pre.ignore_merges).unwrap();
            assert_eq!((found.to_json(), found.ignore_merges), (pre.to_json(), pre.ignore_merges));
            assert_eq!(Pre::named(pre.name()).unwrap().name(), pre.name());
        }
    }

    #[test]
    fn an_unknown_expression_is_printed() {
        let value = json!({ "type": "Split", "pattern": { "Regex": "[a-z]+" }, "behavior": "Isolated" });
        let error = Pre::recognize(&value, false).unwrap_err();
        assert_eq!(error.code(), "cannot_convert");
        assert!(error.to_string().contains("[a-z]+"), "{error}");
        assert!(Pre::named("default").unwrap_err().to_string().contains("llama-bpe"));
    }
}
