//! Methods that are named and not called: `{% if text.strip %}`, `{% set f = text.strip %}{{ f() }}`.
//!
//! In Python they are values, and come before what a dictionary has of the same name: `d.items` is the method although
//! there is a key `items`, and `d['items']` is the method if there is none. minijinja has nothing of the kind, so the
//! rewritten template asks for them (`expression.rs`). Those that change what they belong to are undefined, as in
//! Jinja2's sandbox.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, State, Value};

use crate::{lazy, python};

/// The method that asks for an attribute: a method before an item.
pub(crate) const ATTRIBUTE: &str = "__attribute";
/// The method that asks for an item: an item before a method.
pub(crate) const ITEM: &str = "__item";

const OF_TEXTS: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const OF_TUPLES: [&str; 2] = ["count", "index"];
const OF_LISTS: [&str; 11] =
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const OF_DICTIONARIES: [&str; 11] =
    ["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const OF_INTEGERS: [&str; 6] = ["as_integer_ratio", "bit_count", "bit_length", "conjugate", "is_integer", "to_bytes"];
const OF_FLOATS: [&str; 5] = ["as_integer_ratio", "conjugate", "fromhex", "hex", "is_integer"];
/// What numbers have that is no method.
const PARTS: [&str; 4] = ["denominator", "imag", "numerator", "real"];
/// Those of lists and dictionaries that change them.
const CHANGING: [&str; 11] =
    ["append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"];

/// Whether any value has a method of this name.
pub(crate) fn is_method(name: &str) -> bool {
    let all: [&[&str]; 7] = [&OF_TEXTS, &OF_TUPLES, &OF_LISTS, &OF_DICTIONARIES, &OF_INTEGERS, &OF_FLOATS, &PARTS];
    all.iter().any(|names| names.contains(&name))
}

/// The attribute of this name.
pub(crate) fn attribute(value: &Value, name: &str) -> Result<Value, Error> {
    bound(value, name).map_or_else(|| value.get_attr(name), Ok)
}

/// The item of this name, else the attribute.
pub(crate) fn item(value: &Value, name: &str) -> Result<Value, Error> {
    let item = value.get_item(&Value::from(name))?;
    Ok(if item.is_undefined() { bound(value, name).unwrap_or(item) } else { item })
}

/// The filter `attr`, which knows no items.
pub(crate) fn attr(value: &Value, name: &str) -> Result<Value, Error> {
    let is_plain = python::is_dictionary(value) || value.kind() != ValueKind::Map;
    if is_plain && !value.is_undefined() { Ok(bound(value, name).unwrap_or_default()) } else { value.get_attr(name) }
}

/// The method of a value, if it has one of this name.
fn bound(value: &Value, name: &str) -> Option<Value> {
    if matches!(value.kind(), ValueKind::Number | ValueKind::Bool) && PARTS.contains(&name) {
        return part(value, name);
    }
    let names: &[&str] = match value.kind() {
        ValueKind::String => &OF_TEXTS,
        ValueKind::Seq if python::is_tuple(value) => &OF_TUPLES,
        ValueKind::Seq if !lazy::is_lazy(value) => &OF_LISTS,
        ValueKind::Map if python::is_dictionary(value) => &OF_DICTIONARIES,
        ValueKind::Number if value.is_integer() => &OF_INTEGERS,
        ValueKind::Number => &OF_FLOATS,
        _ => return None,
    };
    let name = names.iter().find(|known| **known == name)?;
    let is_list = matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
    if is_list && CHANGING.contains(name) {
        return Some(Value::UNDEFINED);
    }
    Some(Value::from_object(Method { value: value.clone(), name }))
}

/// A part of a number: a fraction has neither numerator nor denominator.
fn part(number: &Value, name: &str) -> Option<Value> {
    let whole = match number.kind() {
        ValueKind::Bool => Value::from(u8::from(number.is_true())),
        _ => number.clone(),
    };
    match name {
        "real" => Some(whole),
        "imag" => Some(if whole.is_integer() { Value::from(0) } else { Value::from(0.0) }),
        _ if !whole.is_integer() => None,
        "numerator" => Some(whole),
        _ => Some(Value::from(1)),
    }
}

#[derive(Debug)]
struct Method {
    value: Value,
    name: &'static str,
}

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        self.value.call_method(state, self.name, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Python shows where in memory it is.
        write!(f, "<built-in method {} of {} object at 0x0>", self.name, python::type_name(&self.value))
    }
}
