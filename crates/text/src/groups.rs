//! The filter `groupby`, which in minijinja takes no number for an attribute and does not see the characters of a text.

use std::cmp::Ordering;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Environment, Error, Value};

use crate::arguments::add_filter;
use crate::path::{self, along};
use crate::python;

/// Adds it.
pub(crate) fn install(environment: &mut Environment) {
    add_filter(environment, "groupby", groupby);
}

/// The items that have one value for an attribute; a tuple, as `python::is_tuple` knows it by its name.
#[derive(Debug)]
struct GroupTuple {
    grouper: Value,
    list: Value,
}

impl Object for GroupTuple {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_usize(), key.as_str()) {
            (Some(0), None) | (None, Some("grouper")) => Some(self.grouper.clone()),
            (Some(1), None) | (None, Some("list")) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]
fn groupby(
    value: &Value,
    attribute: Value,
    default: Option<Value>,
    case_sensitive: Option<bool>,
) -> Result<Value, Error> {
    let case_sensitive = case_sensitive.unwrap_or(false);
    let items = match value.as_str() {
        Some(text) => text.chars().map(Value::from).collect(),
        None => python::list(value)?,
    };
    let alone = items.len() == 1;
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let mut key = along(item.clone(), &attribute)?;
        if key.is_undefined() {
            // What is undefined has no order, beside others.
            let missing = || if alone { Ok(key.clone()) } else { Err(path::missing(Some(&attribute), &key)) };
            key = default.clone().map_or_else(missing, Ok)?;
        }
        keyed.push((key, item));
    }
    let order = |a: &Value, b: &Value| match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) if !case_sensitive => a.to_lowercase().cmp(&b.to_lowercase()),
        _ => a.cmp(b),
    };
    keyed.sort_by(|(a, _), (b, _)| order(a, b));
    let groups = keyed.chunk_by(|(a, _), (b, _)| order(a, b) == Ordering::Equal).map(|group| {
        let list = group.iter().map(|(_, item)| item.clone()).collect();
        Value::from_object(GroupTuple { grouper: group[0].0.clone(), list })
    });
    Ok(groups.collect())
}
