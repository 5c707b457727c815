//! Python's plain values as those of JSON, without a text between: what messages are made of, most of them.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyString};
use serde_json::{Map, Value};

use crate::room;

/// Lists and mappings in each other that are read here.
const DEEPEST: usize = 16;

/// The value, if it is one of texts, whole numbers, flags, `None`, and lists and dicts of these; `None` for all that is to be
/// read, or refused, with more care.
pub(crate) fn plain(value: &Bound<'_, PyAny>) -> Option<Value> {
    below(value, DEEPEST)
}

fn below(value: &Bound<'_, PyAny>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Ok(text) = value.cast_exact::<PyString>() {
        return self::text(text).map(Value::String);
    }
    if let Ok(mapping) = value.cast_exact::<PyDict>() {
        let mut map = Map::new();
        for (key, item) in mapping.iter() {
            map.insert(self::text(key.cast_exact().ok()?)?, below(&item, depth)?);
        }
        return Some(Value::Object(map));
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        return list.iter().map(|item| below(&item, depth)).collect::<Option<_>>().map(Value::Array);
    }
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        return Some(Value::Bool(flag.is_true()));
    }
    if value.is_none() {
        return Some(Value::Null);
    }
    value.cast_exact::<PyInt>().ok()?.extract::<i64>().ok().map(Value::from)
}

/// A text that is Unicode, and that there is memory for.
fn text(text: &Bound<'_, PyString>) -> Option<String> {
    room::check::<[u8; 4]>(text.len().ok()?, "a text").ok()?;
    Some(text.to_cow().ok()?.into_owned())
}
