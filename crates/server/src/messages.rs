//! Messages of chats, as several protocols write them.

use serde_json::Value;

use crate::Refusal;

/// Pictures and sounds are refused by name: no model here takes any. `texts` are what the protocol calls parts that are
/// text.
pub(crate) fn check_parts(messages: &[Value], texts: &[&str]) -> Result<(), Refusal> {
    for (index, message) in messages.iter().enumerate() {
        for (at, part) in message["content"].as_array().into_iter().flatten().enumerate() {
            let kind = part["type"].as_str().unwrap_or(texts[0]);
            if !texts.contains(&kind) {
                let what = format!("a part of type {kind:.50}");
                return Err(Refusal::unsupported(&what, &format!("messages[{index}].content[{at}]")));
            }
        }
    }
    Ok(())
}

/// An answer that was begun is not gone on with: templates have no word for that, and it would be answered.
pub(crate) fn check_last(messages: &[Value]) -> Result<(), Refusal> {
    match messages.split_last() {
        Some((last, before)) if last["role"] == "assistant" => {
            Err(Refusal::unsupported("going on with an answer", &format!("messages[{}].role", before.len())))
        }
        _ => Ok(()),
    }
}
