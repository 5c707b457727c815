//! What chat templates use of Python: methods of strings, lists and dictionaries, and two functions.
//!
//! Most methods are minijinja-contrib's. Here are those it lacks, and those of its own that make text without a bound
//! (`replace`, `join`) or take no keyword arguments (`split`).

use jiff::Zoned;
use jiff::fmt::strtime::{BrokenDownTime, Config};
use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::arguments::add_function;
use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::method::{ATTRIBUTE, ITEM};
use crate::slices::{SLICE, slice};
use crate::white::{self, is_space};
use crate::{format, generators, kinds, letters, look, method, python, translate};

/// Adds the methods and functions.
pub(crate) fn install(environment: &mut Environment) {
    environment.set_unknown_method_callback(call);
    // Prints the engine's insides.
    environment.remove_global("debug");
    environment.add_test("iterable", is_iterable);
    add_function(environment, "raise_exception", raise_exception);
    add_function(environment, "strftime_now", strftime_now);
}

/// As in Python, text is and `none` is not; templates ask this of `tools`.
fn is_iterable(value: &Value) -> bool {
    let kind = value.kind();
    matches!(kind, ValueKind::String | ValueKind::Undefined) || kind != ValueKind::None && value.try_iter().is_ok()
}

/// The template called `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Raised(pub(crate) String);

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let message = python::text(message)?;
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// The local time. As in C, a directive that does not exist is left as it stands.
fn strftime_now(format: &str) -> Result<String, Error> {
    BrokenDownTime::from(&Zoned::now())
        .to_string_with_config(&Config::new().lenient(true), format)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

fn call(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let (ATTRIBUTE | ITEM, [wanted]) = (name, args) {
        let wanted = wanted.as_str().unwrap_or_default();
        return if name == ITEM { method::item(value, wanted) } else { method::attribute(value, wanted) };
    }
    if name == SLICE {
        return slice(value, args);
    }
    let found = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => string_method(text, name, args)?,
        (ValueKind::Map, _) if args.is_empty() => match generators::view(value, name)? {
            None if name == "copy" => Some(value.clone()),
            view => view,
        },
        (ValueKind::Number, _) => number_method(value, name, args)?,
        (ValueKind::Map, _) if name == "fromkeys" && python::is_dictionary(value) => {
            let (keys, Rest(given)): (&Value, Rest<Value>) = from_args(args)?;
            let value = given.first().cloned().unwrap_or_else(|| Value::from(()));
            Some(Value::from_pairs(python::list(keys)?.into_iter().map(|key| (key, value.clone()))))
        }
        (ValueKind::Map, _) if name == "get" && args.len() == 2 => {
            // What is there may be undefined.
            let found = value.as_object().and_then(|mapping| mapping.get_value(&args[0]));
            Some(found.unwrap_or_else(|| args[1].clone()))
        }
        (ValueKind::Seq, _) if name == "index" => Some(look::in_list(value, args)?),
        (ValueKind::Seq, _) if name == "copy" && args.is_empty() && !python::is_tuple(value) => Some(value.clone()),
        _ => None,
    };
    found.map_or_else(|| unknown_method_callback(state, value, name, args), Ok)
}

fn string_method(text: &str, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    // Of what is undefined Python prints nothing and joins nothing; there is no other use for it.
    if !matches!(name, "format" | "format_map" | "join") {
        args.iter().try_for_each(python::defined)?;
    }
    Ok(Some(match name {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "startswith" | "endswith" | "find" | "rfind" | "index" | "rindex" | "count" => look::in_text(text, name, args)?,
        "replace" => replace(text, args)?.into(),
        "join" => join(text, args)?.into(),
        "split" => split(text, args, false)?.into(),
        "rsplit" => split(text, args, true)?.into(),
        "partition" | "rpartition" => partition(text, args, name == "rpartition")?,
        "format" => {
            let (values, named): (&[Value], Kwargs) = from_args(args)?;
            format::format(text, values, &|name| named.peek(name).ok())?.into()
        }
        "format_map" => {
            let (map,): (&Value,) = from_args(args)?;
            format::format(text, &[], &|name| map.get_attr(name).ok().filter(|value| !value.is_undefined()))?.into()
        }
        "expandtabs" => {
            let (size, named): (Option<i64>, Kwargs) = from_args(args)?;
            let size = size.or(named.get("tabsize")?).unwrap_or(8);
            named.assert_all_used()?;
            expand_tabs(text, usize::try_from(size).unwrap_or(0))?.into()
        }
        "istitle" if args.is_empty() => letters::is_title(text).into(),
        "isupper" | "islower" if args.is_empty() => letters::is_cased(text, name == "isupper").into(),
        "title" if args.is_empty() => letters::title(text).into(),
        "capitalize" if args.is_empty() => letters::capitalize(text).into(),
        "swapcase" if args.is_empty() => letters::swap(text).into(),
        "isidentifier" if args.is_empty() => kinds::is_identifier(text).into(),
        "maketrans" => translate::table(args)?,
        "translate" => {
            let (table,): (&Value,) = from_args(args)?;
            translate::translated(text, table)?.into()
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            let zeros = width.saturating_sub(text.chars().count());
            format!("{sign}{}{digits}", repeat('0', zeros)?).into()
        }
        "ljust" | "rjust" | "center" => justify(text, name, args)?.into(),
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            white::strip(text, chars, [name != "rstrip", name != "lstrip"]).into()
        }
        "splitlines" => {
            let (keepends, named): (Option<Value>, Kwargs) = from_args(args)?;
            let keepends = keepends.or(named.get("keepends")?).is_some_and(|keep| keep.is_true());
            named.assert_all_used()?;
            let lines = white::lines_and_breaks(text);
            lines.map(|(line, end)| if keepends { format!("{line}{end}") } else { line.into() }).collect()
        }
        "casefold" if args.is_empty() => letters::fold(text).into(),
        "isprintable" => {
            from_args::<()>(args)?;
            text.chars().all(kinds::is_printable).into()
        }
        "isalpha" if args.is_empty() => all(text, kinds::is_letter),
        "isalnum" if args.is_empty() => all(text, kinds::is_alphanumeric),
        "isdecimal" if args.is_empty() => all(text, kinds::is_decimal),
        "isdigit" if args.is_empty() => all(text, kinds::is_digit),
        "isnumeric" if args.is_empty() => all(text, kinds::is_numeric),
        "isspace" if args.is_empty() => all(text, white::is_space),
        _ => return Ok(None),
    }))
}

/// Whether there are characters, and all of a kind.
fn all(text: &str, is: impl Fn(char) -> bool) -> Value {
    Value::from(!text.is_empty() && text.chars().all(is))
}

fn expand_tabs(text: &str, size: usize) -> Result<String, Error> {
    if text.matches('\t').count().saturating_mul(size).saturating_add(text.len()) > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let missing = if size == 0 { 0 } else { size - column % size };
                out.extend(std::iter::repeat_n(' ', missing));
                column += missing;
            }
            c => {
                out.push(c);
                column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
            }
        }
    }
    Ok(out)
}

/// Methods of `int` and `float`.
fn number_method(value: &Value, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(match name {
        "bit_length" if value.is_integer() => {
            from_args::<()>(args)?;
            let size = i128::try_from(value.clone())
                .map_or_else(|_| u128::try_from(value.clone()), |size| Ok(size.unsigned_abs()))?;
            Some(Value::from(u128::BITS - size.leading_zeros()))
        }
        "is_integer" => {
            from_args::<()>(args)?;
            Some(Value::from(value.is_integer() || f64::try_from(value.clone())?.fract() == 0.0))
        }
        _ => None,
    })
}

fn replace(text: &str, args: &[Value]) -> Result<String, Error> {
    let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
    replaced(text, old, new, count)
}

/// `str.replace`.
pub(crate) fn replaced(text: &str, old: &str, new: &str, count: Option<i64>) -> Result<String, Error> {
    let most = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let found = text.matches(old).take(most).count();
    if text.len().saturating_add(found.saturating_mul(new.len())) > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    Ok(text.replacen(old, new, most))
}

fn join(separator: &str, args: &[Value]) -> Result<String, Error> {
    let (items,): (&Value,) = from_args(args)?;
    let mut out = String::new();
    for (index, item) in python::items(items)?.enumerate() {
        let item = item?;
        let Some(item) = item.as_str() else {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("item {index} to join is no string")));
        };
        if out.len() + separator.len() + item.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(item);
    }
    Ok(out)
}

/// `split` and `rsplit`, with `sep` and `maxsplit` by place or by name.
fn split(text: &str, args: &[Value], from_right: bool) -> Result<Vec<Value>, Error> {
    let (sep, maxsplit, named): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let sep = match sep {
        Some(sep) => Some(sep),
        None => named.get("sep")?,
    };
    let maxsplit = match maxsplit {
        Some(maxsplit) => Some(maxsplit),
        None => named.get("maxsplit")?,
    };
    named.assert_all_used()?;
    // `None` and absent both mean runs of white space.
    let sep = sep.filter(|sep| !sep.is_none());
    let sep = match &sep {
        None => None,
        Some(sep) => match sep.as_str() {
            Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
            Some(sep) => Some(sep),
            None => return Err(Error::new(ErrorKind::InvalidOperation, "separator must be a string")),
        },
    };
    let most = maxsplit.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    // White space on the far side stays if `maxsplit` ends the cutting.
    let mut rest = Some(match (sep, from_right) {
        (Some(_), _) => text,
        (None, false) => text.trim_start_matches(is_space),
        (None, true) => text.trim_end_matches(is_space),
    });
    while let Some(remaining) = rest {
        if sep.is_none() && remaining.is_empty() {
            break;
        }
        let cut = if pieces.len() < most { cut(remaining, sep, from_right) } else { None };
        let (piece, after) = cut.map_or((remaining, None), |(piece, after)| (piece, Some(after)));
        pieces.push(Value::from(piece));
        rest = after;
    }
    if from_right {
        pieces.reverse();
    }
    Ok(pieces)
}

/// The outermost piece, and what remains beyond the separator.
fn cut<'a>(text: &'a str, sep: Option<&str>, from_right: bool) -> Option<(&'a str, &'a str)> {
    match (sep, from_right) {
        (Some(sep), false) => text.split_once(sep),
        (Some(sep), true) => text.rsplit_once(sep).map(|(rest, piece)| (piece, rest)),
        (None, false) => text.split_once(is_space).map(|(piece, rest)| (piece, rest.trim_start_matches(is_space))),
        (None, true) => text.rsplit_once(is_space).map(|(rest, piece)| (piece, rest.trim_end_matches(is_space))),
    }
}

fn partition(text: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let (sep,): (&str,) = from_args(args)?;
    if sep.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    let found = if from_right { text.rsplit_once(sep) } else { text.split_once(sep) };
    let parts = match (found, from_right) {
        (Some((before, after)), _) => [before, sep, after],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    Ok(Tuple::from(parts.map(Value::from).to_vec()).into())
}

fn justify(text: &str, name: &str, args: &[Value]) -> Result<String, Error> {
    let (width, fill, Rest(rest)): (i64, Option<char>, Rest<Value>) = from_args(args)?;
    if !rest.is_empty() {
        return Err(ErrorKind::TooManyArguments.into());
    }
    let fill = fill.unwrap_or(' ');
    let length = text.chars().count();
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(length);
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        // CPython puts the odd one left only when the width is odd.
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(format!("{}{text}{}", repeat(fill, left)?, repeat(fill, missing - left)?))
}

fn repeat(c: char, times: usize) -> Result<String, Error> {
    if times > MAX_OUTPUT { Err(TooLong.into()) } else { Ok(std::iter::repeat_n(c, times).collect()) }
}
