//! The space before a text, where the class of a tokenizer and `tokenizer.json` say two things of it.

use std::borrow::Cow;

use serde_json::Value;
use trillm_formats::huggingface::Prefix;

/// A section `pre_tokenizer` with what the class has in it, as far as the class is followed.
pub(crate) fn followed(prefix: Option<Prefix>, section: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    let changed = |text: &str| {
        let mut section = serde_json::from_str::<Value>(text).ok()?;
        prefix?.set(&mut section).then(|| section.to_string())
    };
    section.map(|text| changed(&text).map_or(text, Cow::Owned))
}

/// What to say where the class is not followed and would make other tokens of some texts.
pub(crate) fn note(
    prefix: Option<Prefix>,
    normalizer: Option<&str>,
    pre_tokenizer: Option<&str>,
) -> Option<&'static str> {
    let Some(Prefix::Signs(scheme)) = prefix else { return None };
    let section = pre_tokenizer.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let is_bytes = [normalizer, pre_tokenizer].into_iter().flatten().any(|text| text.contains("\"ByteLevel\""));
    let is_prepended = normalizer.is_some_and(|text| text.contains("\"Prepend\""));
    let is_same = !is_prepended && signs(&section).unwrap_or("never") == scheme;
    (!is_bytes && !is_same).then_some(
        "spaces go before a text as tokenizer.json has them, and llama.cpp; by the class that tokenizer_config.json names \
         transformers 5 puts them otherwise, which gives some texts other tokens",
    )
}

/// When `Metaspace` in a section puts a sign before a text.
fn signs(section: &Value) -> Option<&str> {
    if let Some(steps) = section.get("pretokenizers").and_then(Value::as_array) {
        return steps.iter().find_map(signs);
    }
    section.get("type").filter(|kind| *kind == "Metaspace")?;
    match section.get("prepend_scheme").and_then(Value::as_str) {
        Some(scheme) => Some(scheme),
        None if section.get("add_prefix_space") == Some(&Value::Bool(false)) => Some("never"),
        None => Some("always"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_class_would_put_other_spaces_it_is_said() {
        let prepend = r#"{"type":"Prepend","prepend":"▁"}"#;
        let metaspace = |scheme| format!(r#"{{"type":"Metaspace","replacement":"▁","prepend_scheme":"{scheme}"}}"#);
        let (first, always) = (metaspace("first"), metaspace("always"));
        let bytes = r#"{"type":"ByteLevel"}"#;
        for (prefix, normalizer, pre_tokenizer, expected) in [
            (Some(Prefix::Signs("first")), Some(prepend), None, true),
            (Some(Prefix::Signs("first")), None, Some(&*first), false),
            (Some(Prefix::Signs("first")), None, Some(&*always), true),
            (Some(Prefix::Signs("never")), None, None, false),
            (Some(Prefix::Signs("first")), None, None, true),
            (Some(Prefix::Signs("first")), None, Some(bytes), false),
            (Some(Prefix::Bytes(true)), Some(prepend), None, false),
            (None, Some(prepend), None, false),
        ] {
            assert_eq!(note(prefix, normalizer, pre_tokenizer).is_some(), expected, "{prefix:?} {normalizer:?}");
        }
    }
}
