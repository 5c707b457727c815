//! Tools that a template has no place for.
//!
//! A template takes what variables it likes, so tools may vanish without a word, and the model answers as if there were
//! none. Whether they did is seen in what was rendered, and not in the template's source: one that names tools may show
//! them only beside a system message, and one that does not may come to them by another name.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{Message, Result, tojson};

/// Whether there is anything to show.
pub(crate) fn are_given(tools: &Value) -> bool {
    !tools.is_null() && tools.as_array().is_none_or(|tools| !tools.is_empty())
}

/// Whether a text rendered with tools shows them, beside the one rendered without, if that was possible.
pub(crate) fn are_shown(tools: &Value, with: &str, without: Option<&str>) -> bool {
    // Other names may be escaped.
    let is_plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let mut names = tools.as_array().into_iter().flatten().filter_map(name).filter(is_plain);
    without != Some(with) && names.all(|name| with.contains(name))
}

fn name(tool: &Value) -> Option<&str> {
    tool.get("function").unwrap_or(tool).get("name")?.as_str()
}

/// Messages whose system message says what tools there are; one is put first if there is none.
///
/// # Errors
/// If they are nested too deep.
pub(crate) fn in_system(messages: &[Message], tools: &Value) -> Result<Vec<Message>> {
    let mut text = String::from("You can call any of the following tools to satisfy the user's requests:");
    for tool in tools.as_array().map_or(std::slice::from_ref(tools), Vec::as_slice) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", tojson::dumps(tool)?);
    }
    let mut messages = messages.to_vec();
    let Some(system) = messages.first_mut().filter(|first| matches!(first.role(), "system" | "developer")) else {
        messages.insert(0, Message::new("system", &text));
        return Ok(messages);
    };
    let content = match system.content() {
        Some(Value::String(said)) if !said.is_empty() => format!("{said}\n\n{text}").into(),
        Some(Value::Array(parts)) => parts.iter().cloned().chain([json!({"type": "text", "text": text})]).collect(),
        _ => text.into(),
    };
    system.0.insert("content".into(), content);
    Ok(messages)
}
