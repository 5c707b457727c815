//! Filters of Jinja2 that minijinja lacks, or does otherwise.
//!
//! Left out, and refused by name, are those that are different each time: `random` and `lipsum`.

#![expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::wrap::lines;
use crate::{generators, numbers, pprint, pycompat, python, wrap};

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter("string", string);
    environment.add_filter("join", join);
    environment.add_filter("indent", indent);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("format", format);
    environment.add_filter("sort", sort);
    environment.add_filter("unique", unique);
    environment.add_filter("list", list);
    environment.add_filter("round", round);
    environment.add_filter("safe", safe);
    environment.add_filter("pprint", pprint::pprint);
    of_text(environment, "upper", minijinja::filters::upper);
    of_text(environment, "lower", minijinja::filters::lower);
    of_text(environment, "title", minijinja::filters::title);
    of_text(environment, "capitalize", minijinja::filters::capitalize);
    of_text(environment, "trim", minijinja::filters::trim);
    environment.add_filter("replace", replace);
    environment.add_filter("wordwrap", wrap::wordwrap);
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

fn replace(value: &Value, old: &Value, new: &Value, count: Option<i64>) -> Result<String, Error> {
    pycompat::replaced(&python::text(value)?, &python::text(old)?, &python::text(new)?, count)
}

/// To the nearest number, which of a whole one is itself, or up or down, which is always a fraction.
fn round(value: Value, precision: Option<i32>, method: Option<&str>, named: Kwargs) -> Result<Value, Error> {
    let precision = precision.or(named.get("precision")?);
    let named_method: Option<String> = named.get("method")?;
    let method = method.or(named_method.as_deref());
    let value = match numbers::number(&value) {
        Some(number) if !matches!(method, None | Some("common")) => Value::from(number),
        _ if value.kind() == ValueKind::Bool => Value::from(u8::from(value.is_true())),
        _ => value,
    };
    minijinja::filters::round(value, precision, method, named)
}

fn safe(value: &Value) -> Result<Value, Error> {
    if value.is_safe() { Ok(value.clone()) } else { python::text(value).map(Value::from_safe_string) }
}

fn string(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() { Ok(value.clone()) } else { python::text(value).map(Value::from) }
}

fn join(items: &Value, separator: Option<&Value>, named: Kwargs) -> Result<String, Error> {
    let separator = match separator {
        Some(separator) => python::text(separator)?,
        None => named.get::<Option<&Value>>("d")?.map_or_else(|| Ok(String::new()), python::text)?,
    };
    let attribute: Option<Value> = named.get("attribute")?;
    named.assert_all_used()?;
    let mut out = String::new();
    for (index, item) in python::items(items)?.enumerate() {
        let item = match &attribute {
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

/// The value at a path such as `a.b.0`.
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

fn indent(
    value: &Value,
    width: Option<&Value>,
    first: Option<&Value>,
    blank: Option<&Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let named_width: Option<Value> = named.get("width")?;
    let (named_first, named_blank): (Option<Value>, Option<Value>) = (named.get("first")?, named.get("blank")?);
    named.assert_all_used()?;
    let width = width.cloned().or(named_width);
    let is_set =
        |given: Option<&Value>, named: Option<Value>| given.cloned().or(named).is_some_and(|flag| flag.is_true());
    let (first, blank) = (is_set(first, named_first), is_set(blank, named_blank));
    let indention = match &width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(i64::try_from(width.clone())?.clamp(0, MAX_OUTPUT as i64)).unwrap_or(0)),
        },
    };
    // The line break added here is what keeps one at the end.
    let text = python::text(value)? + "\n";
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
    Ok(text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count())
}

/// The pairs of a dictionary in order.
fn dictsort(
    value: &Value,
    case_sensitive: Option<bool>,
    by: Option<&str>,
    reverse: Option<bool>,
    named: Kwargs,
) -> Result<Vec<Value>, Error> {
    let named_by: Option<String> = named.get("by")?;
    let case_sensitive = case_sensitive.or(named.get("case_sensitive")?).unwrap_or(false);
    let reverse = reverse.or(named.get("reverse")?).unwrap_or(false);
    named.assert_all_used()?;
    let by_value = match by.or(named_by.as_deref()).unwrap_or("key") {
        "key" => false,
        "value" => true,
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "dictsort takes by='key' or by='value'")),
    };
    if value.kind() != ValueKind::Map {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("dictsort takes a dictionary, not {}", value.kind()),
        ));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let item = value.get_item(&key)?;
        let rank = if by_value { &item } else { &key };
        let rank =
            rank.as_str().filter(|_| !case_sensitive).map_or_else(|| rank.clone(), |text| text.to_lowercase().into());
        pairs.push((rank, Value::from(Tuple::from([key, item]))));
    }
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    if reverse {
        // Equal ones stay in their order.
        pairs.sort_by(|(a, _), (b, _)| b.cmp(a));
    }
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}

fn sort(
    state: &mut State,
    value: Value,
    reverse: Option<Value>,
    case_sensitive: Option<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    python::items(&value).map(drop)?;
    minijinja::filters::sort(state, value, with(named, [("reverse", reverse), ("case_sensitive", case_sensitive)])?)
}

fn unique(
    state: &mut State,
    value: Value,
    case_sensitive: Option<Value>,
    attribute: Option<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let named = with(named, [("case_sensitive", case_sensitive), ("attribute", attribute)])?;
    let items = python::items(&value).and_then(|_| minijinja::filters::unique(state, value.clone(), named));
    generators::once("generator object sync_do_unique", items)
}

/// Arguments by their names, for filters of minijinja that take them only so.
fn with<const N: usize>(named: Kwargs, given: [(&str, Option<Value>); N]) -> Result<Kwargs, Error> {
    let mut all: Vec<(String, Value)> = Vec::new();
    for name in named.args() {
        all.push((name.into(), named.peek(name)?));
    }
    all.extend(given.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
    Ok(all.into_iter().collect())
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
