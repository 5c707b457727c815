//! The value at a path such as `a.b.0`, as filters take one for an attribute.

use minijinja::{Error, Value};

/// Follows a path, which may be a single number.
pub(crate) fn along(value: Value, path: &Value) -> Result<Value, Error> {
    let item = |value: &Value, index: &Value| match (value.as_str(), index.as_usize()) {
        (Some(text), Some(at)) => Ok(text.chars().nth(at).map_or(Value::UNDEFINED, Value::from)),
        _ => value.get_item(index),
    };
    let Some(path) = path.as_str() else { return item(&value, path) };
    path.split('.').try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) => item(&value, &Value::from(index)),
        Err(_) => value.get_attr(part),
    })
}
