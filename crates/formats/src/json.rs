//! JSON from files that nobody vouches for: bounded in size, in depth, in values, and in what it may repeat.
//!
//! `serde_json` keeps the last of two equal keys, as Python does. Two readers that keep different ones would read
//! different files, so a repeated key is an error here.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Values of one file. A value takes some hundred bytes of memory and as few as two of the file.
const VALUES: u32 = 1 << 20;

/// Reads one JSON value of at most `limit` bytes; `what` names it in errors.
///
/// Depth is bounded by `serde_json`, which stops at 128.
pub(crate) fn parse(bytes: &[u8], limit: u64, what: &str) -> Result<Value> {
    let found = bytes.len() as u64;
    if found > limit {
        return Err(Error::Limit { what: format!("the length of {what}"), offset: 0, found, limit });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let left = Cell::new(VALUES);
    let value = Distinct { left: &left }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Error::Json { what: what.into(), reason: error.to_string() })
}

/// The same, of an object.
pub(crate) fn object(bytes: &[u8], limit: u64, what: &str) -> Result<Map<String, Value>> {
    match parse(bytes, limit, what)? {
        Value::Object(object) => Ok(object),
        other => {
            Err(Error::Json { what: what.into(), reason: format!("expected an object, found {}", excerpt(&other)) })
        }
    }
}

/// The three numbers that JSON lacks and Python writes all the same, as texts: a reader that expects a number then says
/// what it found.
pub(crate) fn without_pythons_numbers(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut out = Vec::new();
    // All before it is in `out`.
    let (mut kept, mut at) = (0, 0);
    let mut in_text = false;
    while let Some(byte) = bytes.get(at) {
        let word = WORDS.iter().find(|word| !in_text && bytes[at..].starts_with(word));
        match (byte, word) {
            (b'\\', _) if in_text => at += 1,
            (b'"', _) => in_text = !in_text,
            (_, Some(word)) => {
                out.extend_from_slice(&bytes[kept..at]);
                out.extend([b"\"", *word, b"\""].into_iter().flatten());
                kept = at + word.len();
                at = kept - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if kept == 0 {
        return bytes.into();
    }
    out.extend_from_slice(&bytes[kept..]);
    out.into()
}

/// A value for an error message: short, and on one line.
pub(crate) fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(items) => format!("an object of {}", items.len()),
        Value::String(text) if text.chars().count() > LONGEST => {
            format!("{:?}…", text.chars().take(LONGEST).collect::<String>())
        }
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

/// Builds a [`Value`], and refuses repeated keys and too many values on the way.
#[derive(Clone, Copy)]
struct Distinct<'a> {
    /// Values that may still come.
    left: &'a Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for Distinct<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| D::Error::custom(format_args!("more than {VALUES} values")))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                let key: String = key.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("the key {key:?} was there before, expected distinct keys")));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            let error = parse(text.as_bytes(), 100, "config.json").expect_err("refused").to_string();
            assert!(error.contains(r#"the key "a" was there before"#), "{error}");
        }
        assert!(parse(br#"{"a":{"a":1}}"#, 100, "x").is_ok());
    }

    #[test]
    fn numbers_of_python_become_texts_outside_of_texts() {
        for (text, expected) in [
            (r#"{"a":NaN,"b":[-Infinity,Infinity]}"#, r#"{"a":"NaN","b":["-Infinity","Infinity"]}"#),
            (r#"{"NaN":"\"NaN","b\\":NaN}"#, r#"{"NaN":"\"NaN","b\\":"NaN"}"#),
            (r#"{"a":1,"b":"\"#, r#"{"a":1,"b":"\"#),
            ("", ""),
        ] {
            assert_eq!(without_pythons_numbers(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn depth_length_and_tails_are_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes(), 1 << 20, "x").is_err());
        let many = format!("[{}0]", "0,".repeat(2 << 20));
        let error = parse(many.as_bytes(), u64::MAX, "x").expect_err("refused");
        assert!(error.to_string().contains("more than 1048576 values"), "{error}");
        assert!(parse(b"{} {}", 100, "x").is_err());
        assert!(parse(b"{}   ", 100, "x").is_ok());
        assert!(parse(b"[1,2]", 4, "x").expect_err("refused").to_string().contains("at most 4"));
    }
}
