//! Regular expressions of `tokenizer.json`, in words that mean here what they mean to the library's Python package.
//!
//! It takes Oniguruma, whose `^` and `$` are the ends of lines and whose `\w` is another set than everybody else's: no
//! joiners, and six numbers of Latin-1 (every character was asked, in tokenizers 0.23). `\b` follows `\w`.

use std::borrow::Cow;

use serde_json::Value;

/// What `\w` takes, for the inside of a class.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}²³¹¼½¾";

/// A section of the file with its expressions rewritten, if it has any.
pub(crate) fn rewritten(section: &str) -> Cow<'_, str> {
    if !section.contains("\"Regex\"") {
        return Cow::Borrowed(section);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(section) else { return Cow::Borrowed(section) };
    rewrite(&mut value);
    Cow::Owned(value.to_string())
}

fn rewrite(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(rewrite),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "Regex" => *text = pattern(text),
                    value => rewrite(value),
                }
            }
        }
        _ => {}
    }
}

/// The expression in other words, where it does not mean the same everywhere.
fn pattern(text: &str) -> String {
    let (mut out, mut class, mut lines) = (String::with_capacity(text.len()), 0_u32, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match (characters.next(), class > 0) {
                (Some('w'), true) => out.push_str(WORD),
                (Some('w'), false) => out.extend(["[", WORD, "]"]),
                (Some('W'), _) => out.extend(["[^", WORD, "]"]),
                (Some('b'), false) => out.push_str(&border("!", "=")),
                (Some('B'), false) => out.push_str(&border("=", "!")),
                (escaped, _) => {
                    out.push('\\');
                    out.extend(escaped);
                }
            },
            '[' => {
                class += 1;
                out.push('[');
            }
            ']' => {
                class = class.saturating_sub(1);
                out.push(']');
            }
            _ => {
                lines |= class == 0 && matches!(character, '^' | '$');
                out.push(character);
            }
        }
    }
    if lines {
        out.insert_str(0, "(?m)");
    }
    out
}

/// A place with a word on one side; `other` says whether none (`!`) or one (`=`) is on the other, `none` the reverse.
fn border(other: &str, none: &str) -> String {
    format!("(?:(?<=[{WORD}])(?{other}[{WORD}])|(?<![{WORD}])(?{none}[{WORD}]))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_something_else_is_rewritten() {
        for same in [r"\s+(?!\S)|\s+", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\\w", r"[$^]", r"\^\$", r"(?i:'s|'t)"] {
            assert_eq!(pattern(same), same);
        }
        assert_eq!(pattern(r"^a|b$"), "(?m)^a|b$");
        assert_eq!(pattern(r"[^\w-]"), format!("[^{WORD}-]"));
    }

    #[test]
    fn what_is_inside_other_parts_is_found() {
        let section = r#"{"type":"Sequence","pretokenizers":[{"pattern":{"Regex":"^a"}},{"pattern":{"String":"^b"}}]}"#;
        let value: Value = serde_json::from_str(&rewritten(section)).unwrap();
        assert_eq!(value["pretokenizers"][0]["pattern"]["Regex"], "(?m)^a");
        assert_eq!(value["pretokenizers"][1]["pattern"]["String"], "^b");
    }
}
