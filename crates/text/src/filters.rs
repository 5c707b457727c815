//! Filters of Jinja2 that minijinja lacks, or does otherwise.
//!
//! Left out, and refused by name, are those that are different each time: `random` and `lipsum`.

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::arguments::{add_filter, given};
use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::path::along;
use crate::white::{lines, strip};
use crate::{kinds, method, numbers, pprint, pycompat, python, wrap};

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter("string", string);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("format", format);
    environment.add_filter("list", list);
    add_filter(environment, "attr", method::attr);
    add_filter(environment, "center", center);
    add_filter(environment, "d", default);
    add_filter(environment, "default", default);
    add_filter(environment, "indent", indent);
    add_filter(environment, "join", join);
    add_filter(environment, "replace", replace);
    add_filter(environment, "round", round);
    add_filter(environment, "trim", trim);
    add_filter(environment, "truncate", truncate);
    add_filter(environment, "wordwrap", wrap::wordwrap);
    environment.add_filter("safe", safe);
    environment.add_filter("pprint", pprint::pprint);
    of_text(environment, "upper", minijinja::filters::upper);
    of_text(environment, "lower", minijinja::filters::lower);
    of_text(environment, "title", minijinja::filters::title);
    of_text(environment, "capitalize", minijinja::filters::capitalize);
}

/// A filter of minijinja's that takes a text: what is none is printed as Python prints it.
fn of_text<F, Rv, Args>(environment: &mut Environment, name: &'static str, theirs: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let renamed = format!("__{name}");
    environment.add_filter(renamed.clone(), theirs);
    environment.add_filter(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
        let mut arguments = arguments.into_values();
        if let Some(value) = arguments.first_mut() {
            *value = string(value)?;
        }
        state.apply_filter(&renamed, &arguments)
    });
}

/// The other value for what is undefined, or for what is not true if that is asked for.
fn default(value: &Value, Rest(given): Rest<Value>) -> Value {
    let (other, boolean) = (given.first(), given.get(1));
    if !value.is_undefined() && (value.is_true() || !boolean.is_some_and(Value::is_true)) {
        return value.clone();
    }
    // With the second alone the first is none.
    other.filter(|other| !other.is_undefined() || boolean.is_none()).map_or_else(|| Value::from(""), Value::clone)
}

fn trim(value: &Value, chars: Option<&str>) -> Result<Value, Error> {
    let text = python::text(value)?;
    let text = strip(&text, chars, [true, true]);
    Ok(if value.is_safe() { Value::from_safe_string(text.into()) } else { text.into() })
}

fn replace(value: &Value, old: &Value, new: &Value, count: Option<i64>) -> Result<String, Error> {
    pycompat::replaced(&python::text(value)?, &python::text(old)?, &python::text(new)?, count)
}

/// To the nearest number, which of a whole one is itself, or up or down, which is always a fraction.
fn round(value: Value, precision: &Value, method: Option<&str>) -> Result<Value, Error> {
    python::defined(&value)?;
    let precision = given(precision);
    precision.map_or(Ok(()), python::defined)?;
    // `round(value, None)` of Python, which gives a whole number.
    if let (Some(true), None | Some("common"), Some(number)) =
        (precision.map(Value::is_none), method, numbers::number(&value).filter(|number| number.is_finite()))
    {
        return Ok(if value.is_integer() { value } else { Value::from(number.round_ties_even() as i128) });
    }
    let precision = precision.map(|precision| i32::try_from(precision.clone())).transpose()?;
    let value = match numbers::number(&value) {
        Some(number) if !matches!(method, None | Some("common")) => Value::from(number),
        _ if value.kind() == ValueKind::Bool => Value::from(u8::from(value.is_true())),
        _ => value,
    };
    minijinja::filters::round(value, precision, method, Kwargs::from_iter([] as [(&str, Value); 0]))
}

fn safe(value: &Value) -> Result<Value, Error> {
    if value.is_safe() { Ok(value.clone()) } else { python::text(value).map(Value::from_safe_string) }
}

fn string(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() { Ok(value.clone()) } else { python::text(value).map(Value::from) }
}

fn join(items: &Value, separator: &Value, attribute: &Value) -> Result<String, Error> {
    // As Jinja2 has it, what is `none` is no attribute, and printed as a separator.
    let attribute = given(attribute).filter(|attribute| !attribute.is_none());
    let separator = given(separator).map_or_else(|| Ok(String::new()), python::text)?;
    let mut out = String::new();
    for (index, item) in python::items(items)?.enumerate() {
        let item = match attribute {
            None => item?,
            Some(path) => along(item?, path)?,
        };
        if index > 0 {
            out.push_str(&separator);
        }
        out.push_str(&python::text(&item)?);
        if out.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
    }
    Ok(out)
}

fn indent(value: &Value, width: Option<&Value>, first: Option<bool>, blank: Option<bool>) -> Result<String, Error> {
    let (first, blank) = (first.unwrap_or(false), blank.unwrap_or(false));
    let indention = match width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(i64::try_from(width.clone())?.clamp(0, MAX_OUTPUT as i64)).unwrap_or(0)),
        },
    };
    // The line break added here is what keeps one at the end.
    let text = wrap::lined(value)?.to_owned() + "\n";
    let all = lines(&text);
    if all.len().saturating_mul(indention.len() + 1).saturating_add(text.len()) > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    let mut out = if first { indention.clone() } else { String::new() };
    for (index, line) in all.into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
            out.push_str(if blank || !line.is_empty() { &indention } else { "" });
        }
        out.push_str(line);
    }
    Ok(out)
}

fn center(value: &Value, width: Option<i64>) -> Result<String, Error> {
    let text = python::text(value)?;
    let width = usize::try_from(width.unwrap_or(80)).unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    if missing > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    // As `str.center`: the odd one goes left only when the width is odd.
    let left = missing / 2 + (missing & width & 1);
    Ok(" ".repeat(left) + &text + &" ".repeat(missing - left))
}

fn truncate(
    value: &Value,
    length: Option<i64>,
    killwords: Option<bool>,
    end: Option<&str>,
    leeway: Option<i64>,
) -> Result<Value, Error> {
    let (length, end, leeway) = (length.unwrap_or(255), end.unwrap_or("..."), leeway.unwrap_or(5));
    let dots = end.chars().count() as i64;
    if length < dots || leeway < 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("expected length >= {dots} and leeway >= 0")));
    }
    let size = value.len().or(value.is_undefined().then_some(0));
    let Some(size) = size.filter(|_| value.kind() != ValueKind::Bytes) else {
        let detail = format!("object of type '{}' has no len()", python::type_name(value));
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    };
    if size as i64 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let text = value.as_str().ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "truncate takes a text"))?;
    let cut: String = text.chars().take(usize::try_from(length - dots).unwrap_or(0)).collect();
    let kept = if killwords == Some(true) {
        cut.as_str()
    } else {
        cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept)
    };
    Ok(Value::from(format!("{kept}{end}")))
}

fn wordcount(value: &Value) -> Result<usize, Error> {
    let text = python::text(value)?;
    Ok(text.split(|c| !kinds::is_word(c)).filter(|word| !word.is_empty()).count())
}

/// `'%s'|format(x)`, or `'%(name)s'|format(name=x)`.
fn format(text: &Value, values: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let values = values.into_values();
    let (by_place, named): (&[Value], Kwargs) = from_args(&values)?;
    let named = named.args().map(|name| Ok((Value::from(name), named.peek(name)?)));
    let named: Vec<(Value, Value)> = named.collect::<Result<_, Error>>()?;
    if !named.is_empty() && !by_place.is_empty() {
        let detail = "can't handle positional and keyword arguments at the same time";
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let values = if named.is_empty() { Tuple::from(by_place.to_vec()).into() } else { Value::from_pairs(named) };
    crate::percent::format(&python::text(text)?, &values)
}

fn list(state: &mut State, value: Value) -> Result<Value, Error> {
    python::items(&value).map(drop)?;
    minijinja::filters::list(state, value)
}
