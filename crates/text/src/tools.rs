//! Tools that a template has no place for.
//!
//! A template takes what variables it likes, so tools may vanish without a word, and the model answers as if there were
//! none. Whether they did is seen in what was rendered, and not in the template's source: one that names tools may show
//! them only beside a system message, and one that does not may come to them by another name.

use std::collections::BTreeSet;
use std::fmt::Write;

use aho_corasick::AhoCorasick;
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
/// that it knows by name, or cuts names that are long: then the name must be there more often than without the tool.
pub(crate) fn are_shown(tools: &Value, text: &str, render: impl Fn(Option<Value>) -> Result<String>) -> bool {
    let all = list(tools);
    let mut marked = all.to_vec();
    for (number, tool) in marked.iter_mut().enumerate() {
        if let Some(text) = shown_text(tool) {
            text.push_str(&mark(number));
        }
    }
    let marked = render(Some(marked.into())).unwrap_or_default();
    let (mut named, mut nameless) = (Vec::new(), Vec::new());
    for (number, tool) in all.iter().enumerate() {
        let mark = mark(number);
        if marked.contains(&mark) && !text.contains(&mark) {
            continue;
        }
        match shown_text(&mut tool.clone()).filter(|name| !name.is_empty()) {
            Some(name) => named.push((number, std::mem::take(name))),
            None => nameless.push(number),
        }
    }
    let without = |left_out: &[usize]| {
        let rest = all.iter().enumerate().filter(|(number, _)| !left_out.contains(number));
        let rest: Vec<Value> = rest.map(|(_, tool)| tool.clone()).collect();
        render((!rest.is_empty()).then(|| rest.into())).ok()
    };
    names_are_shown(all, &named, text, without) && nameless.iter().all(|it| without(&[*it]).as_deref() != Some(text))
}

/// Whether the text has the names of these tools, which are some of `all`, more often than without their tools.
///
/// As many are left out at once as say nothing of one another: what is missing then is missing for its own tool.
fn names_are_shown(
    all: &[Value],
    tools: &[(usize, String)],
    text: &str,
    without: impl Fn(&[usize]) -> Option<String>,
) -> bool {
    let Ok(names) = AhoCorasick::new(tools.iter().map(|(_, name)| name)) else { return false };
    let counts = |text: &str| {
        let mut counts = vec![0_usize; tools.len()];
        names.find_overlapping_iter(text).for_each(|found| counts[found.pattern().as_usize()] += 1);
        counts
    };
    let with = counts(text);
    if with.contains(&0) {
        return false;
    }
    let mut groups = apart(&names, &tools.iter().map(|(number, _)| &all[*number]).collect::<Vec<_>>());
    while let Some(group) = groups.pop() {
        let numbers: Vec<usize> = group.iter().map(|&at| tools[at].0).collect();
        // A template says other things where it has no tools at all, and may fail without some.
        let some_stay = group.len() == 1 || group.len() < all.len();
        let made = if some_stay { without(&numbers) } else { None };
        if made.is_none() && group.len() > 1 {
            let (left, right) = group.split_at(group.len() / 2);
            groups.extend([left.to_vec(), right.to_vec()]);
            continue;
        }
        let counted = made.map_or_else(|| vec![0; tools.len()], |made| counts(&made));
        if group.iter().any(|&at| with[at] <= counted[at]) {
            return false;
        }
    }
    true
}

/// Groups of tools, by their places, none of which has the name of another in its group anywhere in it.
fn apart(names: &AhoCorasick, tools: &[&Value]) -> Vec<Vec<usize>> {
    let mut related = vec![BTreeSet::new(); tools.len()];
    for (at, tool) in tools.iter().enumerate() {
        each_text(tool, &mut |text| {
            for other in names.find_overlapping_iter(text).map(|found| found.pattern().as_usize()) {
                related[at].insert(other);
                related[other].insert(at);
            }
        });
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: Vec<usize> = Vec::new();
    for (at, related) in related.iter().enumerate() {
        let taken: BTreeSet<usize> = related.range(..at).map(|other| group_of[*other]).collect();
        let group = (0..groups.len()).find(|group| !taken.contains(group)).unwrap_or(groups.len());
        group_of.push(group);
        match groups.get_mut(group) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// All texts in a value.
fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Object(items) => items.iter().for_each(|(key, item)| {
            see(key);
            each_text(item, see);
        }),
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn many_tools_take_few_renderings() {
        let tool = |name: String| json!({"name": name, "description": "Better than find."});
        let tools: Value = (0..1000).map(|n| tool(format!("find_{n}"))).chain([tool("find".into())]).collect();
        let renderings = Cell::new(0);
        let render = |tools: Option<Value>, needs: usize| {
            renderings.set(renderings.get() + 1);
            let tools = tools.filter(|tools| list(tools).len() >= needs).ok_or(crate::Error::NoChatTemplate)?;
            let cut = |tool: &Value| tool["name"].as_str().unwrap_or_default().chars().take(8).collect::<String>();
            Ok(list(&tools).iter().map(|tool| cut(tool) + " ").collect::<String>())
        };
        // Names have others inside: `find`, `find_1`, `find_11` and `find_111` are four groups.
        for (needs, most) in [(0, 1 + 4), (900, 1 + 40)] {
            let text = render(Some(tools.clone()), 0).expect("rendered");
            renderings.set(0);
            assert!(are_shown(&tools, &text, |tools| render(tools, needs)));
            assert!(renderings.get() <= most, "{} renderings", renderings.get());
        }
    }
}
