//! How much longer a text may become before it is cut into words, and how often it is gone through.
//!
//! Normalizers in a row multiply: forty that write `aa` for `a` would fill any memory with one letter. Real files make
//! a text at most a few times longer. The factor of each part is an upper bound, or near one for the Unicode forms.

use serde_json::Value;

use crate::charsmap::Charsmap;
use crate::{Error, Result};

/// The largest factor, of all parts together. Llama has 4, ALBERT 32.
const LIMIT: u64 = 256;

/// The most parts, of both sections together. ALBERT has nine.
const PARTS: u64 = 100;

/// Checks the sections `normalizer` and `pre_tokenizer`, given as JSON.
pub(crate) fn check(sections: &[Option<&str>]) -> Result<()> {
    let (mut found, mut all) = (1_u64, 0);
    for section in sections.iter().flatten() {
        let section: Value =
            serde_json::from_str(section).map_err(|error| Error::malformed("the JSON", error.to_string()))?;
        found = found.saturating_mul(factor(&section));
        all += parts(&section).map_or(1, |parts| count(parts));
    }
    if all > PARTS {
        let what = "parts of the normalizer and the pre-tokenizer";
        return Err(Error::Limit { what, found: all, limit: PARTS });
    }
    if found > LIMIT {
        return Err(Error::Limit { what: "times that a text may grow when normalized", found, limit: LIMIT });
    }
    Ok(())
}

/// The parts of a sequence.
fn parts(part: &Value) -> Option<&Vec<Value>> {
    ["normalizers", "pretokenizers"].iter().find_map(|key| part.get(key)?.as_array())
}

fn count(all: &[Value]) -> u64 {
    all.iter().map(|part| parts(part).map_or(1, |parts| count(parts))).sum()
}

fn factor(part: &Value) -> u64 {
    if let Some(parts) = parts(part) {
        return parts.iter().map(factor).fold(1, u64::saturating_mul);
    }
    let bytes = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, str::len) as u64;
    if let Some(pattern) = part.get("pattern") {
        // A regular expression may match at nothing.
        return match bytes(pattern.get("String")) {
            0 => bytes(part.get("content")) + 1,
            pattern => bytes(part.get("content")).div_ceil(pattern).max(1),
        };
    }
    match part.get("type").and_then(Value::as_str) {
        Some("Prepend") => bytes(part.get("prepend")).max(1),
        Some("ByteLevel") => 2,
        // Which part a file without types means is found by trial; it is one of these.
        Some("Metaspace" | "NFKC" | "NFKD") | None => 4,
        Some("Precompiled") => {
            let charsmap = part.get("precompiled_charsmap").and_then(Value::as_str).and_then(Charsmap::decode);
            let longest = charsmap.map_or(0, |charsmap| charsmap.longest_replacement() as u64);
            // In real tables one character of Arabic becomes 33 bytes.
            if longest > 64 { longest } else { 4 }
        }
        Some(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_a_row_multiply() {
        let twice = r#"{ "type": "Replace", "pattern": { "String": "a" }, "content": "aa" }"#;
        let row = |n| format!(r#"{{ "type": "Sequence", "normalizers": [{}] }}"#, vec![twice; n].join(","));
        assert!(check(&[Some(&row(8))]).is_ok());
        let error = check(&[Some(&row(8)), Some(r#"{ "type": "ByteLevel" }"#)]).unwrap_err();
        assert_eq!(error.to_string(), "times that a text may grow when normalized: 512, expected at most 256");
        assert!(check(&[Some(&row(1000))]).is_err());
        let same = row(101).replace("aa", "b");
        let error = check(&[Some(&same)]).unwrap_err();
        assert_eq!(error.to_string(), "parts of the normalizer and the pre-tokenizer: 101, expected at most 100");
    }
}
