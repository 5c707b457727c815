//! Operators that minijinja does otherwise than Python, and so are filters here (`rewrite.rs`).

use std::cmp::Ordering;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::expression::{COMPARE, CONCAT, KEY, MODULO};
use crate::generators;
use crate::rewrite::OTHER;
use crate::targets::{ITEMS, PAIRS};
use crate::{numbers::number, percent, python};

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter(MODULO, modulo);
    environment.add_filter(CONCAT, concat);
    environment.add_filter(COMPARE, compare);
    environment.add_filter(KEY, key);
    environment.add_filter(ITEMS, items);
    environment.add_filter(PAIRS, pairs);
    environment.add_filter(OTHER, other_template);
}

/// What a loop goes over: of a text its characters, and of what is read once what is left, in a list.
fn items(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.chars().map(Value::from).collect());
    }
    if let Some(rest) = generators::rest(value)? {
        return Ok(Value::from(rest));
    }
    python::items(value).map(drop)?;
    Ok(value.clone())
}

/// What a loop with several names goes over, each item of which may be a text.
fn pairs(value: &Value) -> Result<Value, Error> {
    let value = items(value)?;
    let all = python::list(&value)?;
    if all.iter().all(|item| item.as_str().is_none()) {
        return Ok(value);
    }
    all.iter().map(items).collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// What stands for another template.
fn other_template(_: &Value) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::TemplateNotFound, "a chat template cannot read another template"))
}

/// An index. One that is no whole number finds nothing.
fn key(value: &Value) -> Value {
    let is_fraction = value.kind() == ValueKind::Number && !value.is_integer();
    if is_fraction { Value::UNDEFINED } else { value.clone() }
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]
/// A chain of comparisons: after the first value each operator and the value behind it.
fn compare(first: &Value, rest: Rest<Value>) -> Result<bool, Error> {
    let mut left = first;
    for pair in rest.chunks_exact(2) {
        let (operator, right) = (pair[0].as_str().unwrap_or_default(), &pair[1]);
        let holds = match operator {
            "==" => left == right,
            "!=" => left != right,
            _ => is_ordered(left, operator, right)?,
        };
        if !holds {
            return Ok(false);
        }
        left = right;
    }
    Ok(true)
}

/// Whether two values are in an order.
pub(crate) fn is_ordered(left: &Value, operator: &str, right: &Value) -> Result<bool, Error> {
    Ok(order(operator, left, right)?.is_some_and(|order| match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }))
}

/// The order of two values, if they have one: numbers, texts, and lists of these.
fn order(operator: &str, left: &Value, right: &Value) -> Result<Option<Ordering>, Error> {
    let is_number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    let is_list = |value: &Value| value.kind() == ValueKind::Seq || value.kind() == ValueKind::Iterable;
    python::defined(left)?;
    python::defined(right)?;
    if is_number(left) && is_number(right) {
        let is_nan = |value: &Value| f64::try_from(value.clone()).is_ok_and(f64::is_nan);
        return Ok((!is_nan(left) && !is_nan(right)).then(|| left.cmp(right)));
    }
    if left.kind() == ValueKind::String && right.kind() == ValueKind::String {
        return Ok(Some(left.cmp(right)));
    }
    if is_list(left) && is_list(right) && python::type_name(left) == python::type_name(right) {
        let (mut lefts, mut rights) = (left.try_iter()?.checked(), right.try_iter()?.checked());
        loop {
            return match (lefts.next().transpose()?, rights.next().transpose()?) {
                (Some(a), Some(b)) if a == b => continue,
                (Some(a), Some(b)) => order(operator, &a, &b),
                (a, b) => Ok(Some(a.is_some().cmp(&b.is_some()))),
            };
        }
    }
    let (left, right) = (python::type_name(left), python::type_name(right));
    let detail = format!("'{operator}' not supported between instances of '{left}' and '{right}'");
    Err(Error::new(ErrorKind::InvalidOperation, detail))
}

/// `%`: a text's format, or the remainder with the sign of the divisor.
pub(crate) fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        return percent::format(format, right).map(Value::from);
    }
    let zero = || Error::new(ErrorKind::InvalidOperation, "modulo by zero");
    if let (true, true) = (is_whole(left), is_whole(right)) {
        let (left, right) = (i128::try_from(left.clone())?, i128::try_from(right.clone())?);
        let remainder = left.checked_rem_euclid(right).ok_or_else(zero)?;
        return Ok(Value::from(if remainder != 0 && right < 0 { remainder + right } else { remainder }));
    }
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        if let Some(value) = [left, right].into_iter().find(|value| value.is_undefined()) {
            return Err(python::undefined(value));
        }
        let (left, right) = (python::type_name(left), python::type_name(right));
        return Err(Error::new(ErrorKind::InvalidOperation, format!("no remainder of {left} and {right}")));
    };
    if b == 0.0 {
        return Err(zero());
    }
    let remainder = a % b;
    Ok(Value::from(if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) { remainder + b } else { remainder }))
}

fn is_whole(value: &Value) -> bool {
    value.is_integer() || value.kind() == minijinja::value::ValueKind::Bool
}

/// `~`: all of a chain as text, of which `rest` is a list.
fn concat(first: &Value, rest: &Value) -> Result<String, Error> {
    let mut text = python::text(first)?;
    for value in rest.try_iter()? {
        let more = python::text(&value)?;
        if text.len() + more.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
        text.push_str(&more);
    }
    Ok(text)
}
