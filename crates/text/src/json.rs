//! JSON from a caller into a template.

use std::borrow::Cow;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::{Error, Result};

/// Nested lists and objects: as many as `serde_json` reads from text.
const DEPTH: usize = 128;

/// What becomes of each string on its way into a template.
pub(crate) type Change<'a> = dyn for<'t> Fn(&'t str) -> Cow<'t, str> + 'a;

/// A value for a template.
pub(crate) fn value(json: &Json, change: &Change) -> Result<Value> {
    nested(json, change, DEPTH)
}

/// An object for a template.
pub(crate) fn object(fields: &Map<String, Json>, change: &Change) -> Result<Value> {
    entries(fields, change, DEPTH)
}

fn nested(json: &Json, change: &Change, depth: usize) -> Result<Value> {
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
        Json::String(text) => Value::from(change(text)),
        Json::Array(items) => {
            Value::from(items.iter().map(|item| nested(item, change, depth)).collect::<Result<Vec<_>, _>>()?)
        }
        Json::Object(fields) => entries(fields, change, depth)?,
    })
}

fn entries(fields: &Map<String, Json>, change: &Change, depth: usize) -> Result<Value> {
    let entry = |(name, value): (&String, &Json)| Ok((Value::from(change(name)), nested(value, change, depth)?));
    Ok(Value::from_pairs(fields.iter().map(entry).collect::<Result<Vec<_>>>()?))
}
