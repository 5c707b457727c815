//! The form of messages: as transformers hands them to a template, and as a template takes them.
//!
//! Clients send tool arguments as JSON text or as an object, and `content: null` beside calls; templates are written
//! for one or the other, and fail on the rest. The form that most were written for comes first: arguments are an
//! object, and what is null is absent. If the template fails on it, others are tried.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::calls::CALLS;
use crate::content::Fields;
use crate::json::read_json;

/// Names of what a model thought, the one that templates read first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// The forms in which a message with calls can be given, the first to be tried first.
pub(crate) const FORMS: [Form; 6] = [
    Form { arguments: Arguments::Object, null: Null::Absent },
    Form { arguments: Arguments::Text, null: Null::Absent },
    // Some ask whether content is none before they write the calls.
    Form { arguments: Arguments::Object, null: Null::Kept },
    Form { arguments: Arguments::Text, null: Null::Kept },
    Form { arguments: Arguments::Object, null: Null::Empty },
    Form { arguments: Arguments::Text, null: Null::Empty },
];

/// How what clients send in more than one way is given to a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    arguments: Arguments,
    null: Null,
}

/// What the arguments of a tool call are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arguments {
    Object,
    Text,
}

/// What content that is null becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Null {
    Absent,
    Kept,
    Empty,
}

/// Whether a message has neither content nor calls: few templates expect that, and what they fail with does not say it.
pub(crate) fn says_nothing(fields: &Fields) -> bool {
    fields.get("content").is_none_or(Value::is_null) && !CALLS.iter().any(|name| fields.contains_key(*name))
}

impl Form {
    /// A message's fields in this form.
    pub(crate) fn of<'a>(self, fields: &Cow<'a, Fields>) -> Cow<'a, Fields> {
        let has_null = fields.values().any(Value::is_null);
        let thinks = REASONING.iter().any(|name| fields.contains_key(*name));
        let calls = CALLS.iter().any(|name| fields.contains_key(*name));
        if !has_null && !thinks && !calls {
            return fields.clone();
        }
        let mut fields = fields.clone().into_owned();
        if self.null == Null::Empty
            && let Some(content @ Value::Null) = fields.get_mut("content")
        {
            *content = "".into();
        }
        fields.retain(|name, value| !value.is_null() || self.null == Null::Kept && name == "content");
        let thought = REASONING.iter().find_map(|name| fields.get(*name)).cloned();
        if let Some(thought) = thought {
            // As in transformers, the one name stands before all others, and the other, if it is new, behind them.
            let first = fields.get("thinking").unwrap_or(&thought).clone();
            let others = std::mem::take(&mut fields);
            fields.insert("thinking".into(), first);
            fields.extend(others);
            fields.insert("reasoning_content".into(), thought);
        }
        for call in fields.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            self.call(call);
        }
        if let Some(call) = fields.get_mut("function_call") {
            self.call(call);
        }
        Cow::Owned(fields)
    }

    /// Gives the arguments of one call this form. Text that is no JSON object stays what it is.
    fn call(self, call: &mut Value) {
        let in_function = call.get("function").is_some_and(|function| function.get("arguments").is_some());
        let holder = if in_function { call.get_mut("function") } else { Some(call) };
        let Some(arguments) = holder.and_then(|holder| holder.get_mut("arguments")) else { return };
        let changed = match (self.arguments, &*arguments) {
            // Of a call without any.
            (Arguments::Object, Value::String(text)) if text.trim().is_empty() => Some(Value::Object(Map::new())),
            (Arguments::Object, Value::String(text)) => read_json::<Map<String, Value>>(text).ok().map(Value::Object),
            (Arguments::Text, object @ Value::Object(_)) => crate::tojson::dumps(object).ok().map(Value::String),
            _ => None,
        };
        if let Some(changed) = changed {
            *arguments = changed;
        }
    }
}
