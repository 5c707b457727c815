//! Values as Python writes them: `str` and `repr`.
//!
//! minijinja prints most values alike, but not floats (`1e+20`), nor what is undefined inside a list.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::kinds::is_printable;
use crate::lazy::{self, View};

/// Values in values. Python stops near a thousand.
const DEPTH: usize = 500;

/// The longest list that is made at once: more costs more than the fuel that a template has.
const ITEMS: usize = 1_000_000;

/// `str(value)`: what a template prints.
pub(crate) fn text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    match value.as_str() {
        Some(text) => out.push_str(text),
        None if value.is_undefined() => {}
        None => write(value, 0, &mut out)?,
    }
    Ok(out)
}

/// `ascii(value)`: as `repr`, with what is not ASCII escaped.
pub(crate) fn ascii(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    for c in repr(value)?.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            escape(c, &mut out);
        }
    }
    Ok(out)
}

/// `repr(value)`: what a list prints of what is in it.
pub(crate) fn repr(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

/// `iter(value)`: of a dictionary its keys, of what is undefined nothing.
pub(crate) fn items(value: &Value) -> Result<impl Iterator<Item = Result<Value, Error>> + use<>, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Number | ValueKind::Bool | ValueKind::Plain => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("'{}' object is not iterable", type_name(value))))
        }
        _ => Ok(value.try_iter()?.checked()),
    }
}

/// `list(value)`.
pub(crate) fn list(value: &Value) -> Result<Vec<Value>, Error> {
    // A list repeated a million times is none yet, and takes no memory before it is read.
    let items: Vec<Value> = items(value)?.take(ITEMS + 1).collect::<Result<_, _>>()?;
    if items.len() > ITEMS { Err(ErrorKind::OutOfFuel.into()) } else { Ok(items) }
}

/// The error for what is undefined, in which minijinja puts where it came from.
pub(crate) fn undefined(value: &Value) -> Error {
    value.get_attr("").err().unwrap_or_else(|| ErrorKind::UndefinedError.into())
}

/// An error for what is undefined.
pub(crate) fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() { Err(undefined(value)) } else { Ok(()) }
}

/// An error that a value is to blame for: if it is undefined, where it came from goes before it.
pub(crate) fn blaming(value: &Value, error: Error) -> Error {
    if value.is_undefined() { undefined(value).with_source(error) } else { error }
}

/// What Python calls the type of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq | ValueKind::Iterable if is_tuple(value) => "tuple",
        ValueKind::Seq | ValueKind::Iterable if lazy::is_lazy(value) => "generator",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        ValueKind::Plain if is_of(value, "Method") => "builtin_function_or_method",
        _ => "object",
    }
}

/// Whether a value is of a type that minijinja keeps to itself, or of one of ours of the same name.
pub(crate) fn is_of(value: &Value, name: &str) -> bool {
    value.as_object().is_some_and(|object| object.type_name().rsplit("::").next() == Some(name))
}

/// Whether a value is a tuple.
pub(crate) fn is_tuple(value: &Value) -> bool {
    value.is_tuple() || is_of(value, "GroupTuple")
}

/// Whether a value is a dictionary, and nothing else that has names for what is in it.
pub(crate) fn is_dictionary(value: &Value) -> bool {
    value.kind() == ValueKind::Map && !["Loop", "Macro", "Namespace"].iter().any(|name| is_of(value, name))
}

/// Whether minijinja prints a value of this kind in its own way.
pub(crate) fn is_ours(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Number => !value.is_integer(),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Plain => true,
        _ => false,
    }
}

fn write(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if out.len() > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    if depth > DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "more than 500 levels of values in values to print"));
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
        ValueKind::Number if !value.is_integer() => float(f64::try_from(value.clone())?, out),
        ValueKind::Seq | ValueKind::Iterable => {
            if lazy::is_lazy(value) {
                match value.downcast_object_ref::<View>() {
                    Some(view) => write!(out, "{}({})", view.name, repr(&Value::from(view.items.clone()))?),
                    None => write!(out, "{value}"),
                }
                .map_err(|_| ErrorKind::InvalidOperation)?;
                return Ok(());
            }
            let tuple = is_tuple(value);
            out.push(if tuple { '(' } else { '[' });
            let mut count = 0;
            for item in items(value)? {
                out.push_str(if count > 0 { ", " } else { "" });
                write(&item?, depth + 1, out)?;
                count += 1;
            }
            out.push_str(if tuple && count == 1 { "," } else { "" });
            out.push(if tuple { ')' } else { ']' });
        }
        // A loop knows more than its items.
        ValueKind::Map => {
            if let Some(printed) = of_type(value)? {
                out.push_str(&printed);
                return Ok(());
            }
            let is_namespace = is_of(value, "Namespace");
            out.push_str(if is_namespace { "<Namespace {" } else { "{" });
            for (index, key) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&key, depth + 1, out)?;
                out.push_str(": ");
                write(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push_str(if is_namespace { "}>" } else { "}" });
        }
        // minijinja prints what a function is called in Rust.
        ValueKind::Plain if is_of(value, "BoxedFunction") => out.push_str("<function>"),
        _ => write!(out, "{value}").map_err(|_| ErrorKind::InvalidOperation)?,
    }
    Ok(())
}

/// How a macro or a loop is printed, which are dictionaries for minijinja.
fn of_type(value: &Value) -> Result<Option<String>, Error> {
    let number = |name: &str| Ok::<_, Error>(value.get_attr(name)?.to_string());
    Ok(if is_of(value, "Macro") {
        Some(value.to_string())
    } else if is_of(value, "Loop") {
        Some(format!("<LoopContext {}/{}>", number("index")?, number("length")?))
    } else {
        None
    })
}

/// `repr` of a float: the shortest digits that read back the same, with an exponent outside 1e-4 to 1e16.
pub(crate) fn float(number: f64, out: &mut String) {
    if number.is_nan() {
        return out.push_str("nan");
    }
    if number.is_infinite() {
        return out.push_str(if number > 0.0 { "inf" } else { "-inf" });
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{number:?}");
        return;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

/// `repr` of a string: in single quotes, unless it has some and no double ones.
fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => escape(c, out),
        }
    }
    out.push(quote);
}

/// A character by its number.
fn escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match code {
        0..=0xFF => write!(out, "\\x{code:02x}"),
        0x100..=0xFFFF => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_does() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (1.5e300, "1.5e+300"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut out = String::new();
            float(number, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn strings_in_lists_are_quoted_as_python_does() {
        for (text, expected) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("it's \"it\"", "'it\\'s \"it\"'"),
            ("\\\n\t\u{0}\u{7f}\u{a0}\u{200b}é日😀", "'\\\\\\n\\t\\x00\\x7f\\xa0\\u200bé日😀'"),
        ] {
            assert_eq!(repr(&Value::from(text)).unwrap(), expected);
        }
    }
}
