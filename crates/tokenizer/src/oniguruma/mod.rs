//! Regular expressions of `tokenizer.json`, in words that mean here what they mean to the library's Python package.
//!
//! It takes Oniguruma, whose `^` and `$` are the ends of lines, whose `(?m)` is about dots, whose `[[:alpha:]]` is of all
//! Unicode, whose `--` is no operator, and whose `\w` is another set than everybody else's: no joiners, and six numbers
//! of Latin-1, but these not in a class. `reference.json` has what the library makes of each;
//! `tests/python/make_expressions.py` asks it. What there are no other words for is an error that names it.

mod blocks;
mod class;
mod escape;
mod options;
mod pattern;
mod repetition;
mod sets;

use std::borrow::Cow;

use serde_json::Value;

use self::pattern::pattern;
use crate::split::size;
use crate::{Error, Result};

/// The largest expression that the library runs, in parts. Published ones have some dozens.
const PARTS: usize = 512;

/// A section of the file with its expressions rewritten, if it has any.
pub(crate) fn rewritten(section: &str) -> Result<Cow<'_, str>> {
    if !section.contains("\"Regex\"") {
        return Ok(Cow::Borrowed(section));
    }
    let Ok(mut value) = serde_json::from_str::<Value>(section) else { return Ok(Cow::Borrowed(section)) };
    each(&mut value, &|expression| pattern(expression).map(|written| *expression = written))?;
    Ok(Cow::Owned(value.to_string()))
}

/// Checks that a section which is left to the library has no expression that takes it too long.
pub(crate) fn check_sizes(section: &str) -> Result<()> {
    let Ok(mut value) = serde_json::from_str(section) else { return Ok(()) };
    each(&mut value, &|expression| match size(expression) {
        ..=PARTS => Ok(()),
        found => {
            let what = "parts of a regular expression that looks around";
            Err(Error::Limit { what, found: found as u64, limit: PARTS as u64 })
        }
    })
}

/// Does something to each expression of a section.
fn each(value: &mut Value, done: &impl Fn(&mut String) -> Result<()>) -> Result<()> {
    match value {
        Value::Array(list) => list.iter_mut().try_for_each(|value| each(value, done)),
        Value::Object(fields) => fields.iter_mut().try_for_each(|(key, value)| match value {
            Value::String(text) if key == "Regex" => done(text),
            value => each(value, done),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::split::{Pass, Replacer, Splitter};

    /// What tokenizers 0.23 made of expressions.
    #[derive(Deserialize)]
    struct Reference {
        /// Of all characters in a row, those that are not matched: how many, and the sum of the squares of their codes.
        characters: BTreeMap<String, (usize, u64)>,
        /// An expression, a text and its pieces.
        pieces: Vec<(String, String, Vec<String>)>,
    }

    fn reference() -> Reference {
        serde_json::from_str(include_str!("reference.json")).unwrap()
    }

    #[test]
    fn sets_are_those_of_the_reference() {
        let all: String = ('\0'..=char::MAX).collect();
        for (expression, expected) in reference().characters {
            let written = pattern(&expression).unwrap();
            let replacer = Replacer::new(&written, String::new()).unwrap_or_else(|| panic!("{expression}: {written}"));
            let left = replacer.replace(&all);
            let squares = left.chars().map(|character| u64::from(u32::from(character)).pow(2)).sum();
            assert_eq!((left.chars().count(), squares), expected, "{expression}: {written}");
        }
    }

    #[test]
    fn pieces_are_those_of_the_reference() {
        for (expression, text, expected) in reference().pieces {
            let written = pattern(&expression).unwrap();
            let pass = Pass::pattern(&written).unwrap_or_else(|| panic!("{expression}: {written}"));
            let mut found = Vec::new();
            Splitter::new(vec![pass]).split(&text, &mut |piece| found.push(piece.to_owned()));
            assert_eq!(found, expected, "{expression}: {written}");
        }
    }

    #[test]
    fn what_is_ordinary_stays() {
        for same in [
            r"\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?\p{L}+",
            r"\\w",
            r"[$]",
            r"\^\$",
            r"(?i:'s|'t)",
            r"a{1,3}?\p{N}+",
            r"(?<n>a)\k<n>|(b)\2",
            r"[\p{Lu}\p{M}&&[^\p{Han}]]",
        ] {
            assert_eq!(pattern(same).unwrap(), same);
        }
    }

    #[test]
    fn what_there_are_no_words_for_is_named() {
        for (expression, named) in
            [(r"a|\X", r"\\X"), (r"\y", r"\\y"), (r"[\303\251]", r"\\303"), (r"\x{41 42}", r"\\x{41 42}")]
        {
            let error = pattern(expression).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in
            ["(", "[", r"\", r"[a-\", "(?", "(?#", "a{", "[[:", r"\p{", r"\x{", r"\k<", ")", "(?i", "[^", "(?i)("]
        {
            for unit in [text.to_owned(), text.repeat(9000)] {
                drop(pattern(&unit));
            }
        }
    }

    #[test]
    fn what_is_inside_other_parts_is_found() {
        let section = r#"{"type":"Sequence","pretokenizers":[{"pattern":{"Regex":"^a"}},{"pattern":{"String":"^b"}}]}"#;
        let value: Value = serde_json::from_str(&rewritten(section).unwrap()).unwrap();
        assert_eq!(value["pretokenizers"][0]["pattern"]["Regex"], "(?m:^)a");
        assert_eq!(value["pretokenizers"][1]["pattern"]["String"], "^b");
    }
}
