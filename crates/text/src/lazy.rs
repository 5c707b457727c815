//! Values of Python that minijinja has as lists: what `map` and its like give, views of dictionaries, and ranges.
//!
//! A template sees the difference: what `map` gives is true even if empty, has no length and no items, and is gone once
//! it was read. It is computed at once here, as minijinja's fuel is counted by who computes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::IntoIter;

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

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

/// What is read once, from first to last.
#[derive(Debug)]
struct Once {
    /// What it is, as Python prints it.
    name: &'static str,
    items: Mutex<IntoIter<Value>>,
}

impl Once {
    fn next(&self) -> Option<Value> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl Object for Once {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    // Without an answer minijinja would count items.
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let this = Arc::clone(self);
        Enumerator::Iter(Box::new(std::iter::from_fn(move || this.next())))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Python shows where in memory it is.
        write!(f, "<{} at 0x0>", self.name)
    }
}

/// Items that can be read once. What is wrong with them is found when they are read, as nothing was done before.
pub(crate) fn once(name: &'static str, items: Result<Value, Error>) -> Result<Value, Error> {
    let items = match items.and_then(|items| python::list(&items)) {
        Ok(items) => items,
        Err(error) if error.kind() == ErrorKind::OutOfFuel => return Err(error),
        Err(error) => vec![Value::from(error)],
    };
    Ok(Value::from_object(Once { name, items: Mutex::new(items.into_iter()) }))
}

/// All that is left of such items; nothing if the value is another.
pub(crate) fn rest(value: &Value) -> Result<Option<Vec<Value>>, Error> {
    if value.downcast_object_ref::<Once>().is_none() {
        return Ok(None);
    }
    python::list(value).map(Some)
}

/// `dict.keys()`, `dict.values()` and `dict.items()`.
#[derive(Debug)]
struct View {
    name: &'static str,
    items: Vec<Value>,
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
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

/// `range(start, stop, step)`.
#[derive(Debug)]
struct Range {
    start: i64,
    stop: i64,
    step: i64,
}

impl Range {
    fn len(&self) -> u64 {
        let ahead = i128::from(self.stop) - i128::from(self.start);
        let step = i128::from(self.step);
        let (distance, size) = if step > 0 { (ahead, step) } else { (-ahead, -step) };
        u64::try_from((distance + size - 1).max(0) / size).unwrap_or(u64::MAX)
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = key.as_usize().filter(|at| (*at as u64) < self.len())?;
        Some(Value::from(self.start + self.step * at as i64))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len() as usize)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            1 => write!(f, "range({}, {})", self.start, self.stop),
            step => write!(f, "range({}, {}, {step})", self.start, self.stop),
        }
    }
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

/// Whether Python has a value for what it gives and not for a list.
pub(crate) fn is_lazy(value: &Value) -> bool {
    value.downcast_object_ref::<Once>().is_some()
        || value.downcast_object_ref::<View>().is_some()
        || value.downcast_object_ref::<Range>().is_some()
}

/// How such a value is printed, if it is one.
pub(crate) fn printed(value: &Value) -> Result<Option<String>, Error> {
    if let Some(view) = value.downcast_object_ref::<View>() {
        let items = python::repr(&Value::from(view.items.clone()))?;
        return Ok(Some(format!("{}({items})", view.name)));
    }
    Ok(is_lazy(value).then(|| value.to_string()))
}
