//! Regular expressions of `tokenizer.json`, in words that mean here what they mean to the library's Python package.
//!
//! It takes Oniguruma, whose `^` and `$` are the ends of lines and whose `\w` is another set than everybody else's: no
//! joiners, and six numbers of Latin-1 (every character was asked, in tokenizers 0.23). `\b` follows `\w`. And `{1,3}+` is
//! a loop around a loop, as `{3}?` is one that may be left out.

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
    // Where in what is written the last part begins that may be repeated, and where the open groups do.
    let (mut part, mut groups) = (0, Vec::new());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let start = out.len();
        match character {
            '\\' => {
                let escaped = characters.next();
                match (escaped, class > 0) {
                    (Some('w'), true) => out.push_str(WORD),
                    (Some('w'), false) => out.extend(["[", WORD, "]"]),
                    (Some('W'), _) => out.extend(["[^", WORD, "]"]),
                    (Some('b'), false) => out.push_str(&border("!", "=")),
                    (Some('B'), false) => out.push_str(&border("=", "!")),
                    (escaped, _) => {
                        out.push('\\');
                        out.extend(escaped);
                        // A name or a number, such as that of a category.
                        if escaped.is_some_and(|escaped| escaped.is_ascii_alphabetic())
                            && characters.as_str().starts_with('{')
                        {
                            let rest = characters.as_str();
                            let (name, rest) = rest.split_at(rest.find('}').map_or(rest.len(), |end| end + 1));
                            out.push_str(name);
                            characters = rest.chars();
                        }
                    }
                }
                part = if class == 0 { start } else { part };
            }
            '[' => {
                part = if class == 0 { start } else { part };
                class += 1;
                out.push('[');
            }
            ']' => {
                class = class.saturating_sub(1);
                out.push(']');
            }
            '(' if class == 0 => {
                groups.push(start);
                out.push('(');
            }
            ')' if class == 0 => {
                part = groups.pop().unwrap_or(start);
                out.push(')');
            }
            '{' if class == 0 => {
                out.push('{');
                let Some(counts) = counts(characters.as_str()) else {
                    part = start;
                    continue;
                };
                let (counts, rest) = characters.as_str().split_at(counts.len() + 1);
                out.push_str(counts);
                characters = rest.chars();
                if rest.starts_with('+') || rest.starts_with('?') && !counts.contains(',') {
                    out.insert_str(part, "(?:");
                    out.push(')');
                }
            }
            _ => {
                lines |= class == 0 && matches!(character, '^' | '$');
                part = if class > 0 || matches!(character, '*' | '+' | '?') { part } else { start };
                out.push(character);
            }
        }
    }
    if lines {
        out.insert_str(0, "(?m)");
    }
    out
}

/// What stands in the brackets of a repetition, of which the first is gone: `3`, `3,`, `,3` or `1,3`.
fn counts(text: &str) -> Option<&str> {
    let (counts, _) = text.split_once('}')?;
    let (low, high) = counts.split_once(',').unwrap_or((counts, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(low) && is_number(high) && !(low.is_empty() && high.is_empty())).then_some(counts)
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
        for same in [
            r"\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?\p{L}+",
            r"\\w",
            r"[$^]",
            r"\^\$",
            r"(?i:'s|'t)",
            r"a{1,3}?\{2}+\p{N}+",
            "a{b}+{,}+",
        ] {
            assert_eq!(pattern(same), same);
        }
        assert_eq!(pattern(r"^a|b$"), "(?m)^a|b$");
        // As tokenizers 0.23 cuts `1234567` by the first: in one piece.
        assert_eq!(pattern(r"\p{N}{1,3}+|b"), r"(?:\p{N}{1,3})+|b");
        assert_eq!(pattern(r"x(a|[b]){2,}+c{2}?"), r"x(?:(a|[b]){2,})+(?:c{2})?");
        assert_eq!(pattern(r"[é\]{2}+]{,2}+\x{41}+"), r"(?:[é\]{2}+]{,2})+\x{41}+");
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
