//! Filters for HTML and for addresses, as `MarkupSafe` and `urllib` have them.
#![expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};

use crate::arguments::add_filter;
use crate::bounds::bounded;
use crate::python;

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter("striptags", striptags);
    environment.add_filter("urlencode", urlencode);
    add_filter(environment, "xmlattr", xmlattr);
    for name in ["escape", "e", "forceescape"] {
        environment.add_filter(name, escape);
    }
}

/// A text with the characters escaped that HTML gives a meaning, as `MarkupSafe` does it.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    out
}

/// As `markupsafe.escape`.
pub(crate) fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(bounded(html(&python::text(value)?))?))
}

/// As `Markup.striptags`: without comments and tags, white space made single, entities read.
fn striptags(value: &Value) -> Result<String, Error> {
    let mut text = python::text(value)?;
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, inside)) = rest.split_once(open) {
            let Some((_, after)) = inside.split_once(close) else { break };
            out.push_str(before);
            rest = after;
        }
        out.push_str(rest);
        text = out;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut text = words.join(" ");
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    Ok(text)
}

/// As `urllib.parse.quote`; a dictionary or a list of pairs becomes a query.
fn urlencode(value: &Value) -> Result<String, Error> {
    let quoted = |value: &Value, keep: &str| -> Result<String, Error> {
        let mut out = String::new();
        for byte in python::text(value)?.bytes() {
            let c = char::from(byte);
            if c.is_ascii_alphanumeric() || "_.-~".contains(c) || keep.contains(c) {
                out.push(c);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        bounded(out)
    };
    if value.as_str().is_some() || value.try_iter().is_err() || value.is_none() || value.is_undefined() {
        return quoted(value, "/");
    }
    let mut out = String::new();
    for item in python::items(value)? {
        let item = item?;
        let (name, item) = if value.kind() == ValueKind::Map {
            let found = value.get_item(&item)?;
            (item, found)
        } else {
            let mut pair = python::items(&item)?;
            match (pair.next().transpose()?, pair.next().transpose()?, pair.next()) {
                (Some(name), Some(item), None) => (name, item),
                _ => return Err(Error::new(ErrorKind::InvalidOperation, "urlencode expects pairs of name and value")),
            }
        };
        let part = |value: &Value| quoted(value, "").map(|text| text.replace("%20", "+"));
        if !out.is_empty() {
            out.push('&');
        }
        out = bounded(out + &part(&name)? + "=" + &part(&item)?)?;
    }
    Ok(out)
}

/// The pairs of a dictionary as attributes of a tag; what is none or undefined is left out.
fn xmlattr(state: &mut State, pairs: Value, autospace: Option<bool>) -> Result<Value, Error> {
    let wrong = |detail: String| Error::new(ErrorKind::InvalidOperation, detail);
    if pairs.kind() != ValueKind::Map {
        let error = wrong(format!("'{}' object has no attribute 'items'", python::type_name(&pairs)));
        return Err(python::blaming(&pairs, error));
    }
    let mut out = String::new();
    for key in python::items(&pairs)? {
        let key = key?;
        let value = pairs.get_item(&key)?;
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let name = key.as_str().ok_or_else(|| wrong("expected string or bytes-like object".into()))?;
        if name.contains([' ', '\t', '\n', '\r', '\u{b}', '\u{c}', '/', '>', '=']) {
            return Err(wrong(format!("invalid character in attribute name: {name:?}")));
        }
        let space = if out.is_empty() && autospace == Some(false) { "" } else { " " };
        let escaped = escape(&value)?;
        // Writing to a string cannot fail.
        let _ = write!(out, "{space}{}=\"{}\"", html(name), escaped.as_str().unwrap_or_default());
        out = bounded(out)?;
    }
    Ok(if *state.auto_escape() == AutoEscape::None { Value::from(out) } else { Value::from_safe_string(out) })
}
