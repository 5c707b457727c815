//! Whether a space goes before a text that begins with none, by the class of the tokenizer.
//!
//! Classes of transformers 5.24 take it from `add_prefix_space` of `tokenizer_config.json`, and have a default where that
//! says nothing; what `tokenizer.json` says of it counts for nothing. That is followed where bytes are tokens.
//! It is not for SentencePiece: what the library's classes put there is not what models were trained on, nor what the
//! same model has as a GGUF file.

use serde_json::Value;

use super::fields::Fields;
use crate::Result;

/// What a class does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefix {
    /// Before a text of bytes there is a space, or not.
    Bytes(bool),
    /// What `Metaspace` of the class has as `prepend_scheme`.
    Signs(&'static str),
}

/// Classes of bytes, and what they have by default.
const BYTES: [(&str, bool); 9] = [
    ("BlenderbotTokenizer", true),
    ("CodeGenTokenizer", false),
    ("CohereTokenizer", false),
    ("DebertaTokenizer", false),
    ("GPT2Tokenizer", false),
    ("GPTNeoXTokenizer", false),
    ("Qwen2Tokenizer", false),
    ("RobertaTokenizer", false),
    ("WhisperTokenizer", false),
];

/// What a class does with `tokenizer_config.json`; `None` if it leaves it to `tokenizer.json`.
pub(super) fn read(class: Option<&str>, config: &Fields<'_>) -> Result<Option<Prefix>> {
    let Some(class) = class else { return Ok(None) };
    let known = BYTES.iter().find(|(known, _)| *known == class);
    let of_signs = ["CodeLlamaTokenizer", "LlamaTokenizer", "XLMRobertaTokenizer"].contains(&class);
    if known.is_none() && !of_signs {
        return Ok(None);
    }
    let asked = config.flag("add_prefix_space")?;
    if let Some((_, default)) = known {
        return Ok(Some(Prefix::Bytes(asked.unwrap_or(*default))));
    }
    let everywhere = match class {
        "LlamaTokenizer" => config.flag("legacy")?.unwrap_or(false),
        other => other == "XLMRobertaTokenizer",
    };
    Ok(Some(Prefix::Signs(match (asked.unwrap_or(true), everywhere) {
        (false, _) => "never",
        (true, false) => "first",
        (true, true) => "always",
    })))
}

impl Prefix {
    /// Gives a section `pre_tokenizer` what the class has, if it is of bytes; says whether that was another thing.
    pub fn set(self, section: &mut Value) -> bool {
        let Self::Bytes(prefix) = self else { return false };
        if let Some(steps) = section.get_mut("pretokenizers").and_then(Value::as_array_mut) {
            return steps.iter_mut().fold(false, |changed, step| self.set(step) | changed);
        }
        if section.get("type").and_then(Value::as_str) != Some("ByteLevel") {
            return false;
        }
        let had = section.get_mut("add_prefix_space").map(|had| std::mem::replace(had, prefix.into()));
        had.is_some_and(|had| had != prefix)
    }
}
