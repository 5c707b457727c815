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

/// Whether `text`, which is what `render` makes of these tools, shows each of them.
///
/// A name may be in it for other reasons: a user wrote it, or another tool's name has it inside. So the tools are
/// rendered once more with a mark on each. A mark is not seen either where a template has words of its own for a tool
/// that it knows by name: then the name must be there more often than without the tool.
pub(crate) fn are_shown(tools: &Value, text: &str, render: impl Fn(Option<Value>) -> Result<String>) -> bool {
    let all = list(tools);
    let mut marked = all.to_vec();
    for (number, tool) in marked.iter_mut().enumerate() {
        if let Some(text) = shown_text(tool) {
            text.push_str(&mark(number));
        }
    }
    let marked = render(Some(marked.into())).unwrap_or_default();
    let is_shown = |(number, tool): (usize, &Value)| {
        let mark = mark(number);
        if marked.contains(&mark) && !text.contains(&mark) {
            return true;
        }
        let rest: Vec<Value> = [&all[..number], &all[number + 1..]].concat();
        let without = render((!rest.is_empty()).then(|| rest.into())).ok();
        match shown_text(&mut tool.clone()).filter(|name| !name.is_empty()) {
            Some(name) => {
                let count = |text: String| text.matches(name.as_str()).count();
                count(text.into()) > without.map_or(0, count)
            }
            None => without.as_deref() != Some(text),
        }
    };
    all.iter().enumerate().all(is_shown)
}

/// What is added to a tool so that it is found again: digits, which nothing escapes or makes capitals of, and as many
/// for each.
fn mark(number: usize) -> String {
    format!("{}", 7_160_000_000 + number)
}

fn list(tools: &Value) -> &[Value] {
    tools.as_array().map_or(std::slice::from_ref(tools), Vec::as_slice)
}

/// What a template shows of a tool if it shows anything: its name, or what describes it if it has none.
fn shown_text(tool: &mut Value) -> Option<&mut String> {
    let tool = if tool.get("function").is_some() { tool.get_mut("function")? } else { tool };
    let key = if tool.get("name").is_some_and(Value::is_string) { "name" } else { "description" };
    match tool.get_mut(key)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Messages whose system message says what tools there are; one is put first if there is none.
///
/// # Errors
/// If they are nested too deep.
pub(crate) fn in_system(messages: &[Message], tools: &Value) -> Result<Vec<Message>> {
    let mut text = String::from("You can call any of the following tools to satisfy the user's requests:");
    for tool in list(tools) {
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
