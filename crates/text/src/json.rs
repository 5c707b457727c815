//! JSON from a caller into a template.

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::{Error, Result};

/// Nested lists and objects: as many as `serde_json` reads from text.
const DEPTH: usize = 128;

/// A value for a template.
pub(crate) fn value(json: &Json) -> Result<Value> {
    nested(json, DEPTH)
}

/// An object for a template.
pub(crate) fn object(fields: &Map<String, Json>) -> Result<Value> {
    entries(fields, DEPTH)
}

fn nested(json: &Json, depth: usize) -> Result<Value> {
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
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(|item| nested(item, depth)).collect::<Result<Vec<_>, _>>()?),
        Json::Object(fields) => entries(fields, depth)?,
    })
}

fn entries(fields: &Map<String, Json>, depth: usize) -> Result<Value> {
    let entry = |(name, value): (&String, &Json)| Ok((Value::from(name.as_str()), nested(value, depth)?));
    Ok(Value::from_pairs(fields.iter().map(entry).collect::<Result<Vec<_>>>()?))
}
