//! `value[start:end:step]`. minijinja takes what is undefined or `none` for an empty list, and does not see what a macro
//! slices. So the rewritten template calls a method (`expression.rs`).

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::python;

/// The method that slices. No template can have one of this name.
pub(crate) const SLICE: &str = "__slice";

/// A part of a text or a list.
pub(crate) fn slice(value: &Value, bounds: &[Value]) -> Result<Value, Error> {
    python::defined(value)?;
    let bounds = bounds.iter().map(bound).collect::<Result<Vec<_>, _>>()?;
    let [start, end, step] = bounds[..] else { return Err(ErrorKind::MissingArgument.into()) };
    let places = |length: usize| places(length, start, end, step.unwrap_or(1));
    match (value.as_str(), value.kind()) {
        (Some(text), _) => {
            let characters: Vec<char> = text.chars().collect();
            let part: String = places(characters.len())?.map(|at| characters[at]).collect();
            Ok(if value.is_safe() { Value::from_safe_string(part) } else { part.into() })
        }
        (None, ValueKind::Seq) => {
            let items = python::list(value)?;
            let part: Vec<Value> = places(items.len())?.map(|at| items[at].clone()).collect();
            Ok(if python::is_tuple(value) { Tuple::from(part).into() } else { part.into() })
        }
        _ => {
            let detail = format!("'{}' object is not subscriptable", python::type_name(value));
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
    }
}

/// A bound, which may be `none`.
fn bound(value: &Value) -> Result<Option<i64>, Error> {
    match value.kind() {
        ValueKind::None => Ok(None),
        ValueKind::Bool => Ok(Some(i64::from(value.is_true()))),
        // Further away than any end.
        ValueKind::Number if value.is_integer() => {
            let number = i128::try_from(value.clone())?;
            Ok(Some(number.clamp(i64::MIN.into(), i64::MAX.into()) as i64))
        }
        _ => {
            let detail = "slice indices must be integers or None or have an __index__ method";
            Err(python::blaming(value, Error::new(ErrorKind::InvalidOperation, detail)))
        }
    }
}

/// The places of a slice, as Python's `slice.indices` has them.
fn places(
    length: usize,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Result<impl Iterator<Item = usize>, Error> {
    if step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "slice step cannot be zero"));
    }
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (first, last) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(first, last);
    let (from, to) = if step > 0 { (first, last) } else { (last, first) };
    let (start, end) = (start.map_or(from, place), end.map_or(to, place));
    let next = move |at: &i64| at.checked_add(step);
    let is_before = move |at: &i64| if step > 0 { *at < end } else { *at > end };
    // Between the ends, so never negative.
    Ok(std::iter::successors(Some(start), next).take_while(is_before).map(|at| at as usize))
}
