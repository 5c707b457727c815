//! One message of a chat.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// A message that was checked: `role` is text, `content` is text, a list of parts, or absent.
///
/// Every other field (`name`, `tool_calls`, …) is handed to the template as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Message(pub(crate) Map<String, Value>);

impl Message {
    /// A message of plain text.
    pub fn new(role: &str, content: &str) -> Self {
        Self(Map::from_iter([("role".into(), role.into()), ("content".into(), content.into())]))
    }

    /// Checks a list of messages.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`] for the first that is not one.
    pub fn list(values: Vec<Value>) -> Result<Vec<Self>> {
        let checked = values.into_iter().enumerate();
        checked.map(|(index, value)| check(value).map_err(|reason| Error::InvalidMessage { index, reason })).collect()
    }

    /// The role.
    pub fn role(&self) -> &str {
        self.0.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// The content as it was given: text, a list of parts, or nothing.
    pub fn content(&self) -> Option<&Value> {
        self.0.get("content")
    }

    /// Bytes of all texts in it.
    pub fn bytes(&self) -> usize {
        self.0.values().map(bytes).sum()
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn check(value: Value) -> Result<Message, String> {
    let Value::Object(fields) = value else {
        return Err(format!("expected a mapping with role and content, found {}", kind(&value)));
    };
    match fields.get("role") {
        Some(Value::String(_)) => {}
        Some(other) => return Err(format!("role must be text, found {}", kind(other))),
        None => return Err("role is missing".into()),
    }
    match fields.get("content") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(Value::Array(parts)) => parts.iter().try_for_each(check_part)?,
        Some(other) => return Err(format!("content must be text or a list of parts, found {}", kind(other))),
    }
    Ok(Message(fields))
}

fn check_part(part: &Value) -> Result<(), String> {
    let Some(fields) = part.as_object() else {
        return Err(format!("a part of content must be a mapping, found {}", kind(part)));
    };
    match (fields.get("type").and_then(Value::as_str), fields.get("text")) {
        (None, _) => Err("a part of content has no type".into()),
        (Some("text"), Some(Value::String(_))) => Ok(()),
        (Some("text"), _) => Err("a part of type text has no text".into()),
        _ => Ok(()),
    }
}

/// What a value is called, in the words of Python's users.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "None",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_a_message_is_accepted() {
        for value in [
            json!({"role": "user", "content": "Hi"}),
            json!({"role": "assistant", "content": null, "tool_calls": []}),
            json!({"role": "assistant"}),
            json!({"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image"}]}),
        ] {
            let messages = Message::list(vec![value.clone()]).unwrap();
            assert_eq!(Value::Object(messages[0].0.clone()), value);
        }
        assert_eq!(
            Message::new("user", "Hi"),
            Message::list(vec![json!({"role": "user", "content": "Hi"})]).unwrap()[0]
        );
    }

    #[test]
    fn what_is_not_is_named() {
        for (value, reason) in [
            (json!("Hi"), "expected a mapping with role and content, found text"),
            (json!(null), "expected a mapping with role and content, found None"),
            (json!({"role": {}}), "role must be text, found a mapping"),
            (json!({"content": "Hi"}), "role is missing"),
            (json!({"role": 1}), "role must be text, found a number"),
            (json!({"role": "user", "content": 1}), "content must be text or a list of parts, found a number"),
            (json!({"role": "user", "content": ["Hi"]}), "a part of content must be a mapping, found text"),
            (json!({"role": "user", "content": [{"text": "Hi"}]}), "a part of content has no type"),
            (json!({"role": "user", "content": [{"type": "text"}]}), "a part of type text has no text"),
        ] {
            let error = Message::list(vec![json!({"role": "user"}), value]).unwrap_err();
            assert_eq!(error, Error::InvalidMessage { index: 1, reason: reason.into() });
        }
    }
}
