//! `pprint`, as Python's `pprint.pformat`: what is wider than 80 columns is folded, and dictionaries are in order.
//!
//! Left out: a text that is too wide by itself is not cut into pieces.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::{lazy, python};

const WIDTH: usize = 80;

/// Values in values.
const DEPTH: usize = 128;

/// The filter.
pub(crate) fn pprint(value: &Value) -> Result<String, Error> {
    // Before anything is copied: a few values may print as very many.
    python::repr(value)?;
    let mut out = String::new();
    fold(&in_order(value, DEPTH)?, 0, 0, &mut out)?;
    Ok(out)
}

/// A value in which all dictionaries have their keys in order.
fn in_order(value: &Value, depth: usize) -> Result<Value, Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::new(ErrorKind::InvalidOperation, "more than 128 levels of values in values to print"));
    };
    let inner = |items: Vec<Value>| items.iter().map(|item| in_order(item, depth)).collect::<Result<Vec<_>, _>>();
    Ok(match value.kind() {
        ValueKind::Seq | ValueKind::Iterable if lazy::is_lazy(value) => value.clone(),
        ValueKind::Seq | ValueKind::Iterable if python::is_tuple(value) => {
            Tuple::from(inner(python::list(value)?)?).into()
        }
        ValueKind::Seq | ValueKind::Iterable => inner(python::list(value)?)?.into(),
        ValueKind::Map if is_dictionary(value)? => {
            let mut keys = python::list(value)?;
            keys.sort();
            let pair = |key: Value| Ok((key.clone(), in_order(&value.get_item(&key)?, depth)?));
            Value::from_pairs(keys.into_iter().map(pair).collect::<Result<Vec<_>, Error>>()?)
        }
        _ => value.clone(),
    })
}

/// Macros and loops are dictionaries for minijinja.
fn is_dictionary(value: &Value) -> Result<bool, Error> {
    Ok(python::repr(value)?.starts_with('{'))
}

/// Prints a value that begins in column `indent` and has `allowance` characters behind it.
fn fold(value: &Value, indent: usize, allowance: usize, out: &mut String) -> Result<(), Error> {
    let flat = python::repr(value)?;
    let is_container = flat.starts_with(['[', '(', '{']) && value.len().is_some_and(|length| length > 0);
    if !is_container || flat.chars().count() + indent + allowance <= WIDTH {
        out.push_str(&flat);
        return Ok(());
    }
    let items = python::list(value)?;
    let close = match flat.as_bytes()[0] {
        b'[' => "]",
        b'{' => "}",
        _ if items.len() == 1 => ",)",
        _ => ")",
    };
    out.push_str(&flat[..1]);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(",\n");
            out.extend(std::iter::repeat_n(' ', indent + 1));
        }
        let allowance = if index + 1 == items.len() { allowance + close.len() } else { 1 };
        if value.kind() == ValueKind::Map {
            let key = python::repr(item)?;
            out.extend([&key, ": "]);
            fold(&value.get_item(item)?, indent + 1 + key.chars().count() + 2, allowance, out)?;
        } else {
            fold(item, indent + 1, allowance, out)?;
        }
    }
    out.push_str(close);
    Ok(())
}
