//! Methods that look for something in a text or a list, or in a part of it: `find`, `index`, `count`, `startswith`.

use std::ops::Range;

use minijinja::value::from_args;
use minijinja::{Error, ErrorKind, Value};

use crate::python;

/// What a method of texts finds.
pub(crate) fn in_text(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (what, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
    let range = part(text.chars().count(), start, end);
    let begin = range.as_ref().map_or(0, |range| range.start);
    let part = range.map(|range| {
        let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
        &text[byte(range.start)..byte(range.end)]
    });
    let wrong = || Error::new(ErrorKind::InvalidOperation, format!("{method} looks for a text"));
    if matches!(method, "startswith" | "endswith") {
        let is = |what: &Value| {
            let (what, part) = (what.as_str().ok_or_else(wrong)?, part.unwrap_or_default());
            let found = if method == "startswith" { part.starts_with(what) } else { part.ends_with(what) };
            Ok::<_, Error>(found)
        };
        let all = if python::is_tuple(what) { python::list(what)? } else { vec![what.clone()] };
        let found = all.iter().map(is).collect::<Result<Vec<_>, _>>()?;
        return Ok(Value::from(part.is_some() && found.contains(&true)));
    }
    let what = what.as_str().ok_or_else(wrong)?;
    if method == "count" {
        return Ok(Value::from(part.map_or(0, |part| part.matches(what).count())));
    }
    let found = part.and_then(|part| {
        let at = if method.starts_with('r') { part.rfind(what) } else { part.find(what) }?;
        Some(begin + part[..at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(Error::new(ErrorKind::InvalidOperation, "substring not found")),
    }
}

/// The place of an item in a list.
pub(crate) fn in_list(list: &Value, args: &[Value]) -> Result<Value, Error> {
    let (what, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
    let items = python::list(list)?;
    let range = part(items.len(), start, end).unwrap_or_default();
    let at = items[range.clone()].iter().position(|item| item == what).map(|at| Value::from(range.start + at));
    at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{what} is not in the list")))
}

/// The part from `start` to `end`, which may count from behind; none if it begins beyond the last or ends before it
/// begins.
fn part(length: usize, start: Option<i64>, end: Option<i64>) -> Option<Range<usize>> {
    let length = length as i64;
    let at = |index: i64| if index < 0 { (index + length).max(0) } else { index };
    let (start, end) = (at(start.unwrap_or(0)), end.map_or(length, at).min(length));
    (start <= end).then_some(start as usize..end as usize)
}
