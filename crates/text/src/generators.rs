//! The filters, methods and functions that give values which are no lists in Python (`lazy.rs`).
//!
//! Their work is done at once, as minijinja's fuel is counted by who computes.

use minijinja::value::{Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::lazy::{Once, Range, View};
use crate::python;

/// Items of a range, as Jinja2's sandbox has it.
const MAX_RANGE: u64 = 100_000;

/// Replaces the filters and functions that give such values.
pub(crate) fn install(environment: &mut Environment) {
    use minijinja::filters as theirs;

    environment.add_filter("__map", theirs::map);
    environment.add_filter("__select", theirs::select);
    environment.add_filter("__reject", theirs::reject);
    environment.add_filter("__selectattr", theirs::selectattr);
    environment.add_filter("__rejectattr", theirs::rejectattr);
    environment.add_filter("__batch", theirs::batch);
    environment.add_filter("__slice", theirs::slice);
    environment.add_filter("__items", theirs::items);
    for (name, printed) in [
        ("map", "generator object sync_do_map"),
        ("select", "generator object select_or_reject"),
        ("reject", "generator object select_or_reject"),
        ("selectattr", "generator object select_or_reject"),
        ("rejectattr", "generator object select_or_reject"),
        ("batch", "generator object do_batch"),
        ("slice", "generator object sync_do_slice"),
        ("items", "generator object do_items"),
    ] {
        let theirs = format!("__{name}");
        let filter = move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            // What is empty or no list at all is not looked at by those that pick items.
            let picks = !matches!(name, "batch" | "slice" | "items");
            if picks && arguments.first().is_some_and(|value| !value.is_true()) {
                return once(printed, Ok(Value::from(Vec::<Value>::new())));
            }
            let is_list = arguments.first().map(|value| python::items(value).map(drop)).transpose();
            once(printed, is_list.and_then(|_| state.apply_filter(&theirs, &arguments)))
        };
        environment.add_filter(name, filter);
    }
    environment.add_filter("reverse", reverse);
    environment.add_function("range", range);
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

fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
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
