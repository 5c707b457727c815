//! The filters, methods and functions that give values which are no lists in Python (`lazy.rs`).
//!
//! Their work is done at once, as minijinja's fuel is counted by who computes.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters as theirs};

use crate::arguments::add_filter;
use crate::lazy::{Once, Range, View};
use crate::path::along;
use crate::{numbers, python};

/// Items of a range, as Jinja2's sandbox has it.
const MAX_RANGE: u64 = 100_000;

/// The filter that hands arguments to another one.
const APPLY: &str = "__apply";
/// The filter that follows a path.
const ALONG: &str = "__along";
/// The test that asks another one.
const PICKS: &str = "__picks";

/// Replaces the filters and functions that give such values.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter(APPLY, apply);
    environment.add_filter(ALONG, |item: Value, path: &Value, default: Option<Value>| {
        let found = along(item, path)?;
        Ok::<_, Error>(if found.is_undefined() { default.unwrap_or(found) } else { found })
    });
    environment.add_test(PICKS, picks);
    environment.add_filter("map", |state: &mut State, value: Value, given: Rest<ValueOrKwargs>| {
        picked("generator object sync_do_map", &value, || map(state, value.clone(), given.into_values()))
    });
    for (name, by_attribute, wanted) in
        [("select", false, true), ("reject", false, false), ("selectattr", true, true), ("rejectattr", true, false)]
    {
        environment.add_filter(name, move |state: &mut State, value: Value, given: Rest<ValueOrKwargs>| {
            picked("generator object select_or_reject", &value, || {
                let given = [Value::from(by_attribute), Value::from(given.into_values())];
                let given = Rest(given.into_iter().map(ValueOrKwargs::from).collect());
                let choose = if wanted { theirs::select } else { theirs::reject };
                choose(state, value.clone(), Some(PICKS.into()), given)
            })
        });
    }
    add_filter(environment, "batch", |state: &mut State, value: Value, count: &Value, fill: Option<Value>| {
        let is_list = python::items(&value).map(drop);
        once("generator object do_batch", is_list.and_then(|()| batch(state, value, count, fill)))
    });
    add_filter(environment, "slice", |state: &mut State, value: Value, count: usize, fill: Option<Value>| {
        let is_list = python::items(&value).map(drop);
        once("generator object sync_do_slice", is_list.and_then(|()| theirs::slice(state, value, count, fill)))
    });
    environment.add_filter("items", |value: Value| {
        let is_list = python::items(&value).map(drop);
        once("generator object do_items", is_list.and_then(|()| theirs::items(&value)))
    });
    environment.add_filter("reverse", reverse);
    environment.add_function("range", range);
}

/// Batches of so many items, the last one filled up. One that never has as many as asked for has all.
fn batch(state: &mut State, value: Value, count: &Value, fill: Option<Value>) -> Result<Value, Error> {
    if let Some(count) = count.as_usize().filter(|count| *count > 0) {
        return theirs::batch(state, value, count, fill);
    }
    if fill.is_some() && numbers::number(count).is_none() {
        python::defined(count)?;
        let detail = format!("'<' not supported between instances of 'int' and '{}'", python::type_name(count));
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let items = python::list(&value)?;
    // Jinja2 looks before it adds an item, and none are as many as 0.
    let before = (count.as_usize() == Some(0) && !items.is_empty()).then(Vec::new);
    Ok(before.into_iter().chain((!items.is_empty()).then_some(items)).collect())
}

/// What is made of items, once it is read. What is empty or no list at all is not looked at.
fn picked(name: &'static str, value: &Value, work: impl FnOnce() -> Result<Vec<Value>, Error>) -> Result<Value, Error> {
    if !value.is_true() {
        return once(name, Ok(Value::from(Vec::<Value>::new())));
    }
    once(name, python::items(value).map(drop).and_then(|()| work()).map(Value::from))
}

/// What a filter makes of each item, or an attribute of each. minijinja counts the work, but hands no arguments by name
/// to the filter, so it is given one that does.
fn map(state: &mut State, items: Value, given: Vec<Value>) -> Result<Vec<Value>, Error> {
    let (by_place, named): (&[Value], Kwargs) = from_args(&given)?;
    let work = if by_place.is_empty() && named.has("attribute") {
        let (attribute, default): (Value, Option<Value>) = (named.get("attribute")?, named.get("default")?);
        named.assert_all_used()?;
        vec![ALONG.into(), attribute, default.unwrap_or_default()]
    } else if by_place.is_empty() {
        return Err(Error::new(ErrorKind::MissingArgument, "map requires a filter argument"));
    } else {
        vec![APPLY.into(), given.into()]
    };
    theirs::map(state, items, Rest(work.into_iter().map(ValueOrKwargs::from).collect()))
}

/// What a filter makes of an item: its name and its arguments are in a list.
fn apply(state: &mut State, item: Value, given: &Value) -> Result<Value, Error> {
    let given = python::list(given)?;
    let (filter, rest) = named(&given)?.ok_or(ErrorKind::MissingArgument)?;
    state.apply_filter(filter, &[&[item], rest].concat())
}

/// Whether an item, or an attribute of it, passes a test, which is in a list with its arguments: that it is true, if
/// there is none.
fn picks(state: &mut State, item: Value, by_attribute: bool, given: &Value) -> Result<bool, Error> {
    let given = python::list(given)?;
    let (item, given) = match given.split_first() {
        Some((attribute, rest)) if by_attribute => (along(item, attribute)?, rest),
        None if by_attribute => {
            return Err(Error::new(ErrorKind::MissingArgument, "Missing parameter for attribute name"));
        }
        _ => (item, &given[..]),
    };
    match named(given)? {
        Some((test, rest)) => state.perform_test(test, &[&[item], rest].concat()),
        None => Ok(item.is_true()),
    }
}

/// The name of a filter or a test in front of its arguments.
fn named(given: &[Value]) -> Result<Option<(&str, &[Value])>, Error> {
    let Some((name, rest)) = given.split_first() else { return Ok(None) };
    let wrong = || Error::new(ErrorKind::InvalidOperation, "filter name must be a string");
    Ok(Some((name.as_str().ok_or_else(wrong)?, rest)))
}

/// Items that can be read once. What is wrong with them is found when they are read, as nothing was done before.
pub(crate) fn once(name: &'static str, items: Result<Value, Error>) -> Result<Value, Error> {
    let items = match items.and_then(|items| python::list(&items)) {
        Ok(items) => items,
        Err(error) if error.kind() == ErrorKind::OutOfFuel => return Err(error),
        Err(error) => vec![Value::from(error)],
    };
    Ok(Value::from_object(Once::new(name, items)))
}

/// All that is left of such items; nothing if the value is another.
pub(crate) fn rest(value: &Value) -> Result<Option<Vec<Value>>, Error> {
    if value.downcast_object_ref::<Once>().is_none() {
        return Ok(None);
    }
    python::list(value).map(Some)
}

/// A method of dictionaries that gives a view.
pub(crate) fn view(dictionary: &Value, method: &str) -> Result<Option<Value>, Error> {
    let name = match method {
        "keys" => "dict_keys",
        "values" => "dict_values",
        "items" => "dict_items",
        _ => return Ok(None),
    };
    let mut items = Vec::new();
    for key in dictionary.try_iter()? {
        items.push(match method {
            "keys" => key,
            "values" => dictionary.get_item(&key)?,
            _ => {
                let value = dictionary.get_item(&key)?;
                Tuple::from([key, value]).into()
            }
        });
    }
    Ok(Some(Value::from_object(View { name, items })))
}

fn range(Rest(bounds): Rest<Value>) -> Result<Value, Error> {
    bounds.iter().try_for_each(python::defined)?;
    let (first, second, step): (i64, Option<i64>, Option<i64>) = from_args(&bounds)?;
    let start = second.map_or(0, |_| first);
    let range = Range { start, stop: second.unwrap_or(first), step: step.unwrap_or(1) };
    if range.step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "range() arg 3 must not be zero"));
    }
    if range.len() > MAX_RANGE {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("range has more than {MAX_RANGE} items")));
    }
    Ok(Value::from_object(range))
}

/// `reverse`: of a text a text, of what has an order something that is read once, else a list.
fn reverse(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() {
        return minijinja::filters::reverse(value);
    }
    let printed = match value.downcast_object_ref::<View>().map(|view| view.name) {
        Some("dict_keys") => "dict_reversekeyiterator object",
        Some("dict_values") => "dict_reversevalueiterator object",
        Some(_) => "dict_reverseitemiterator object",
        None if value.kind() == ValueKind::Map => "dict_reversekeyiterator object",
        None if value.downcast_object_ref::<Range>().is_some() => "range_iterator object",
        None if value.is_tuple() || value.is_undefined() => "reversed object",
        None => "list_reverseiterator object",
    };
    let mut items = python::list(value)?;
    items.reverse();
    let items = Value::from(items);
    if value.downcast_object_ref::<Once>().is_some() { Ok(items) } else { once(printed, Ok(items)) }
}
