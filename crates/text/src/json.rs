//! JSON from a caller into a template.
//!
//! Whole numbers are whole, as in Python, from -2^127 to 2^128 - 1. `serde_json` keeps those of 64 bits and makes floats
//! of larger ones, so these are an object with one key of ours from where a text is read to where a template gets it.

use std::fmt::Write;

use minijinja::Value;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value as Json};

use crate::{Error, Result};

/// Nested lists and objects: as many as `serde_json` reads from text.
const DEPTH: usize = 128;

/// The key of an object that is a whole number, whose digits are its value.
const WHOLE: &str = "$trillm::whole";

/// Reads JSON in which whole numbers may have up to 128 bits.
///
/// # Errors
/// If it is no JSON or not what is asked for, or has a whole number beyond.
pub fn read_json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let (mut out, mut kept) = (String::new(), 0);
    for (at, digits) in numbers(text).filter(|(_, digits)| is_large(digits)) {
        if whole(digits).is_none() {
            let count = digits.trim_start_matches('-').len();
            return Err(serde_json::Error::custom(format!(
                "a whole number of {count} digits, expected -2^127 to 2^128 - 1"
            )));
        }
        out.push_str(&text[kept..at]);
        // Writing to a string cannot fail.
        let _ = write!(out, r#"{{"{WHOLE}":"{digits}"}}"#);
        kept = at + digits.len();
    }
    if kept == 0 { serde_json::from_str(text) } else { serde_json::from_str(&(out + &text[kept..])) }
}

/// What may be a number in a JSON text, each with its place.
fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let mut is_inside = false;
        loop {
            match bytes.get(at)? {
                b'\\' if is_inside => at += 1,
                b'"' => is_inside = !is_inside,
                b'-' | b'0'..=b'9' if !is_inside => break,
                _ => {}
            }
            at += 1;
        }
        let start = at;
        at += bytes[start..].iter().take_while(|byte| is_part(byte)).count();
        Some((start, &text[start..at]))
    })
}

/// Whether `serde_json` makes a float of this, though it is a whole number.
fn is_large(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_whole = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fits = || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    number == "-0" || is_whole && digits.len() > 18 && !fits()
}

fn whole(digits: &str) -> Option<Value> {
    digits.parse::<i128>().map(Value::from).or_else(|_| digits.parse::<u128>().map(Value::from)).ok()
}

/// A value for a template.
pub(crate) fn value(json: &Json) -> Result<Value> {
    nested(json, DEPTH)
}

/// An object for a template.
pub(crate) fn object(fields: &Map<String, Json>) -> Result<Value> {
    entries(fields, DEPTH)
}

fn nested(json: &Json, depth: usize) -> Result<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::Exceeded { limit: "nesting limit of 128 levels of JSON" });
    };
    Ok(match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .unwrap_or_else(|| Value::from(number.as_f64().unwrap_or(f64::NAN))),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(|item| nested(item, depth)).collect::<Result<Vec<_>, _>>()?),
        Json::Object(fields) => entries(fields, depth)?,
    })
}

fn entries(fields: &Map<String, Json>, depth: usize) -> Result<Value> {
    if fields.len() == 1
        && let Some(number) = fields.get(WHOLE).and_then(Json::as_str).and_then(whole)
    {
        return Ok(number);
    }
    let entry = |(name, value): (&String, &Json)| Ok((Value::from(name.as_str()), nested(value, depth)?));
    Ok(Value::from_pairs(fields.iter().map(entry).collect::<Result<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python;

    #[test]
    fn whole_numbers_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
            ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
            (" [1, 10000000000000000000000]", "[1, 10000000000000000000000]"),
            ("-0", "0"),
            // One that is read by halves is the number beside it.
            ("31.245270191439438", "31.245270191439438"),
            ("[-0.0, 1e2, 10000000000000000000000.0]", "[-0.0, 100.0, 1e+22]"),
            (r#"["\"10000000000000000000000\\", -0]"#, r#"['"10000000000000000000000\\', 0]"#),
        ] {
            let found = value(&read_json(text).unwrap()).unwrap();
            assert_eq!(python::text(&found).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_json_is_an_error() {
        let error = read_json::<Json>("[340282366920938463463374607431768211456]").unwrap_err().to_string();
        assert_eq!(error, "a whole number of 39 digits, expected -2^127 to 2^128 - 1");
        for text in ["00000000000000000000001", "10000000000000000000000-", "{10000000000000000000000: 1}", "\"1", "-"]
        {
            assert!(read_json::<Json>(text).is_err(), "{text}");
        }
    }
}
