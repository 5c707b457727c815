//! The value at a path such as `a.b.0`, as filters take one for an attribute.

use minijinja::{Error, ErrorKind, Value};

use crate::python;

/// Follows a path, which may be a single number, or `none`.
pub(crate) fn along(value: Value, path: &Value) -> Result<Value, Error> {
    let item = |value: &Value, index: &Value| match (value.as_str(), index.as_usize()) {
        (Some(text), Some(at)) => Ok(text.chars().nth(at).map_or(Value::UNDEFINED, Value::from)),
        _ => value.get_item(index),
    };
    // Jinja2 has no path there, and no step along it.
    if path.is_none() {
        return Ok(value);
    }
    let Some(path) = path.as_str() else { return item(&value, path) };
    let mut value = value;
    let mut end = 0;
    for part in path.split('.') {
        // What is undefined before the path was named where it came from.
        if end > 0 && value.is_undefined() {
            return Err(undefined(&path[..end - 1]));
        }
        value = match part.parse::<usize>() {
            Ok(index) => item(&value, &Value::from(index)),
            Err(_) => value.get_attr(part),
        }?;
        end += part.len() + 1;
    }
    Ok(value)
}

/// The error for what is undefined at a path, which may be a single number; `None` is no path, but the value itself.
pub(crate) fn missing(path: Option<&Value>, found: &Value) -> Error {
    path.and_then(Value::as_str).map_or_else(|| python::undefined(found), undefined)
}

/// The error for a path at which there is nothing.
fn undefined(path: &str) -> Error {
    Error::new(ErrorKind::UndefinedError, format!("`{path}` is undefined"))
}
