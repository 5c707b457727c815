//! Calls of tools, and what tools answered, that a template has no place for.
//!
//! As with tools, a template that knows none leaves them out without a word, and the model reads an empty turn. Whether
//! it did is seen in what it renders when they are other ones.

use std::borrow::Cow;

use serde_json::Value;

use crate::content::Fields;
use crate::{Error, Result};

/// Names of what a message asks to be called.
pub(crate) const CALLS: [&str; 2] = ["tool_calls", "function_call"];

/// Roles of messages that answer a call.
const ANSWERS: [&str; 2] = ["tool", "function"];

/// What a template may leave out.
#[derive(Clone, Copy)]
enum Part {
    /// A call in the list of a message.
    Call(usize),
    /// The one call of a message, as it was written before there were lists.
    OnlyCall,
    /// What a tool answered.
    Answer,
}

/// Refuses messages with a call or an answer that is not in `text`, which is what `render` makes of them.
///
/// # Errors
/// [`Error::PartNotShown`] for the first of them.
pub(crate) fn check_shown(
    messages: &[Cow<'_, Fields>],
    text: &str,
    render: impl Fn(&[Cow<'_, Fields>]) -> Result<String>,
) -> Result<()> {
    let found = messages.iter().enumerate().flat_map(|(index, fields)| parts(fields).map(move |part| (index, part)));
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Ok(());
    }
    // One rendering tells it of nearly all; what is cut for its length has its beginning still.
    let mut unseen: Vec<usize> = (0..found.len()).collect();
    for at_end in [true, false] {
        if unseen.is_empty() {
            return Ok(());
        }
        let mut marked = messages.to_vec();
        for &number in &unseen {
            let (index, part) = found[number];
            part.mark(marked[index].to_mut(), &mark(number), at_end);
        }
        let marked = render(&marked).unwrap_or_default();
        unseen.retain(|&number| !marked.contains(&mark(number)) || text.contains(&mark(number)));
    }
    for (index, part) in unseen.into_iter().map(|number| found[number]) {
        let mut without = messages.to_vec();
        part.take(without[index].to_mut());
        if render(&without).is_ok_and(|made| made == text) {
            return Err(Error::PartNotShown { index, what: part.name() });
        }
    }
    Ok(())
}

/// What is added to a part so that it is found again: letters and digits, which nothing escapes.
fn mark(number: usize) -> String {
    format!("Shown{number}Here")
}

fn parts(fields: &Fields) -> impl Iterator<Item = Part> {
    let calls = fields.get(CALLS[0]).and_then(Value::as_array).map_or(0, Vec::len);
    let only = (calls == 0 && fields.get(CALLS[1]).is_some_and(Value::is_object)).then_some(Part::OnlyCall);
    let answers = fields.get("role").and_then(Value::as_str).is_some_and(|role| ANSWERS.contains(&role));
    let answer = (answers && fields.get("content").is_some_and(says_something)).then_some(Part::Answer);
    (0..calls).map(Part::Call).chain(only).chain(answer)
}

fn says_something(content: &Value) -> bool {
    match content {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(parts) => !parts.is_empty(),
        _ => false,
    }
}

impl Part {
    /// Makes it another one, by a mark at its end or its beginning.
    fn mark(self, fields: &mut Fields, mark: &str, at_end: bool) {
        let text = match self {
            Self::Call(at) => fields.get_mut(CALLS[0]).and_then(|calls| calls.get_mut(at)).and_then(name),
            Self::OnlyCall => fields.get_mut(CALLS[1]).and_then(name),
            Self::Answer => fields.get_mut("content").and_then(|content| answer(content, at_end)),
        };
        if let Some(text) = text {
            text.insert_str(if at_end { text.len() } else { 0 }, mark);
        }
    }

    /// Takes it out of the message.
    fn take(self, fields: &mut Fields) {
        match self {
            Self::Call(at) => {
                if let Some(Value::Array(calls)) = fields.get_mut(CALLS[0]) {
                    calls.remove(at);
                    if calls.is_empty() {
                        fields.remove(CALLS[0]);
                    }
                }
            }
            Self::OnlyCall => drop(fields.remove(CALLS[1])),
            Self::Answer => drop(fields.insert("content".into(), "".into())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Call(_) | Self::OnlyCall => "tool calls",
            Self::Answer => "what a tool answered",
        }
    }
}

fn name(call: &mut Value) -> Option<&mut String> {
    let holder = if call.get("function").is_some() { call.get_mut("function")? } else { call };
    text(holder.get_mut("name")?)
}

/// The text that an answer ends or begins with.
fn answer(content: &mut Value, at_end: bool) -> Option<&mut String> {
    match content {
        Value::Array(parts) => text(if at_end { parts.last_mut() } else { parts.first_mut() }?.get_mut("text")?),
        content => text(content),
    }
}

fn text(value: &mut Value) -> Option<&mut String> {
    if let Value::String(text) = value { Some(text) } else { None }
}
