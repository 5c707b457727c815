//! The form of a message's content: text, or a list of parts.
//!
//! Callers may send either, and templates are written for one or both. Given the wrong one, a template prints a list in
//! Python's notation or drops the text, silently; so each message is given the form its template takes.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::Message;

/// The fields of a message.
pub(crate) type Fields = Map<String, Value>;

/// What a template expects a message's content to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// Text: it would print a list as a list.
    Text,
    /// A list of parts: it would not print text.
    Parts,
    /// Either.
    Both,
}

impl Content {
    /// A message's fields, with content as the template expects it.
    pub(crate) fn adapt(self, message: &Message) -> Result<Cow<'_, Fields>, String> {
        let adapted = match (self, message.content()) {
            (Content::Text, Some(Value::Array(parts))) => join(parts)?.into(),
            (Content::Parts, Some(Value::String(text))) => json!([{"type": "text", "text": text}]),
            _ => return Ok(Cow::Borrowed(&message.0)),
        };
        let mut fields = message.0.clone();
        fields.insert("content".into(), adapted);
        Ok(Cow::Owned(fields))
    }
}

fn join(parts: &[Value]) -> Result<String, String> {
    let text = |part: &Value| match part.get("text").and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("the model's chat template takes only text, found a part of type {}", part["type"])),
    };
    Ok(parts.iter().map(text).collect::<Result<Vec<_>, _>>()?.join("\n"))
}
