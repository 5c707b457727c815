//! Python's plain values as those of JSON, without a text between: what messages are made of, most of them.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use serde_json::{Map, Number, Value};

use crate::enter::let_others_after;
use crate::room;

/// Lists and mappings in each other that are read here.
const DEEPEST: usize = 16;

/// The value, if it is one of texts, numbers, flags, `None`, and lists and dicts of these; `None` for all that is to be
/// read, or refused, with more care. Of the values that were `read`, others have their turn after every so many.
pub(crate) fn plain(value: &Bound<'_, PyAny>, read: &mut usize) -> PyResult<Option<Value>> {
    below(value, DEEPEST, read)
}

fn below(value: &Bound<'_, PyAny>, depth: usize, read: &mut usize) -> PyResult<Option<Value>> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(None) };
    let_others_after(value.py(), *read)?;
    *read += 1;
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(self::text(text).map(Value::String));
    }
    if let Ok(mapping) = value.cast_exact::<PyDict>() {
        let mut map = Map::new();
        // Of a copy: others may change it while they have their turn.
        for (key, item) in mapping.copy()?.iter() {
            let key = key.cast_exact().ok().and_then(self::text);
            let (Some(key), Some(item)) = (key, below(&item, depth, read)?) else { return Ok(None) };
            map.insert(key, item);
        }
        return Ok(Some(Value::Object(map)));
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        let items = list.iter().map(|item| below(&item, depth, read));
        return items.collect::<PyResult<Option<_>>>().map(|items| items.map(Value::Array));
    }
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        return Ok(Some(Value::Bool(flag.is_true())));
    }
    if value.is_none() {
        return Ok(Some(Value::Null));
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        // JSON has no name for what is infinite or no number.
        return Ok(Number::from_f64(number.value()).map(Value::Number));
    }
    Ok(value.cast_exact::<PyInt>().ok().and_then(|number| number.extract::<i64>().ok()).map(Value::from))
}

/// A text that is Unicode, and that there is memory for.
fn text(text: &Bound<'_, PyString>) -> Option<String> {
    room::check::<[u8; 4]>(text.len().ok()?, "a text").ok()?;
    Some(text.to_cow().ok()?.into_owned())
}
