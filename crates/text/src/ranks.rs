//! Filters that compare values, by themselves or by an attribute of each: one that is a number too, and for `sort`
//! several.
#![expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]

use std::cmp::Ordering;
use std::collections::BTreeSet;

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::arguments::{add_filter, given};
use crate::operators::is_ordered;
use crate::path::{self, along};
use crate::{generators, numbers, python};

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    add_filter(environment, "sort", sort);
    add_filter(environment, "unique", unique);
    add_filter(environment, "min", min);
    add_filter(environment, "max", max);
    add_filter(environment, "sum", sum);
    add_filter(environment, "dictsort", dictsort);
}

/// What an item is compared by.
struct Rank {
    value: Value,
    /// Capitals count as small letters.
    folds: bool,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without a copy: a long text may be there many times.
        let folded = |text| str::chars(text).flat_map(char::to_lowercase);
        match (self.value.as_str(), other.value.as_str()) {
            (Some(a), Some(b)) if self.folds => folded(a).cmp(folded(b)),
            _ => self.value.cmp(&other.value),
        }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}

/// The items of a value, each behind what it is compared by: itself or attributes.
fn ranked(
    state: &State,
    value: Value,
    attributes: &[Value],
    case_sensitive: Option<bool>,
) -> Result<Vec<(Vec<Rank>, Value)>, Error> {
    let rank = |value| Rank { value, folds: case_sensitive != Some(true) };
    let of = |item: Value| {
        let each = attributes.iter().map(|attribute| along(item.clone(), attribute).map(rank));
        let each = if attributes.is_empty() { vec![rank(item.clone())] } else { each.collect::<Result<_, Error>>()? };
        Ok((each, item))
    };
    counted(state, value)?.into_iter().map(of).collect()
}

/// As [`ranked`], for who puts them in an order. What is undefined has none with anything else.
fn orderly(
    state: &State,
    value: Value,
    attributes: &[Value],
    case_sensitive: Option<bool>,
) -> Result<Vec<(Vec<Rank>, Value)>, Error> {
    let ranked = ranked(state, value, attributes, case_sensitive)?;
    let is_defined = |(ranks, _): &(Vec<Rank>, Value)| ranks.iter().any(|rank| !rank.value.is_undefined());
    if ranked.len() > 1 && (attributes.is_empty() || ranked.iter().any(is_defined)) {
        for (ranks, _) in &ranked {
            if let Some(at) = ranks.iter().position(|rank| rank.value.is_undefined()) {
                return Err(path::missing(attributes.get(at), &ranks[at].value));
            }
        }
    }
    if let [(first, _), others @ ..] = &ranked[..] {
        others.iter().try_for_each(|(ranks, _)| in_order(first, ranks))?;
    }
    Ok(ranked)
}

/// An error if Python has no order for two items, each of which is a list there: what is alike is passed over.
fn in_order(one: &[Rank], other: &[Rank]) -> Result<(), Error> {
    let first = one.iter().zip(other).find(|(a, b)| a.value != b.value);
    first.map_or(Ok(()), |(a, b)| is_ordered(&a.value, "<", &b.value).map(drop))
}

/// As [`orderly`], for who compares one with another: what has no order is not passed over if it is alike.
fn comparable(
    state: &State,
    value: Value,
    attributes: &[Value],
    case_sensitive: Option<bool>,
) -> Result<Vec<(Vec<Rank>, Value)>, Error> {
    let ranked = orderly(state, value, attributes, case_sensitive)?;
    if let [(first, _), others @ ..] = &ranked[..] {
        let first = &first[0].value;
        if first.is_undefined() && !others.is_empty() {
            return Err(path::missing(attributes.first(), first));
        }
        others.iter().try_for_each(|(ranks, _)| is_ordered(first, "<", &ranks[0].value).map(drop))?;
    }
    Ok(ranked)
}

/// The attribute that items are compared by; `none` is none.
fn by(attribute: &Value) -> &[Value] {
    given(attribute).filter(|attribute| !attribute.is_none()).map_or(&[], std::slice::from_ref)
}

/// The items of a value, which minijinja counts as work.
fn counted(state: &State, value: Value) -> Result<Vec<Value>, Error> {
    python::items(&value).map(drop)?;
    python::list(&minijinja::filters::list(state, value)?)
}

fn sort(
    state: &mut State,
    value: Value,
    reverse: Option<&Value>,
    case_sensitive: Option<bool>,
    attribute: &Value,
) -> Result<Vec<Value>, Error> {
    let attributes: Vec<Value> = match by(attribute) {
        [names] if names.as_str().is_some() => names.as_str().unwrap_or_default().split(',').map(Value::from).collect(),
        number => number.to_vec(),
    };
    let reverse = descends(reverse)?;
    let mut ranked = orderly(state, value, &attributes, case_sensitive)?;
    // Equal ones stay in their order.
    ranked.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
    Ok(ranked.into_iter().map(|(_, item)| item).collect())
}

/// Whether the last comes first: of numbers, which Python takes for it.
fn descends(reverse: Option<&Value>) -> Result<bool, Error> {
    match reverse {
        Some(value) if numbers::number(value).is_none() => {
            let detail = format!("'{}' object cannot be interpreted as an integer", python::type_name(value));
            Err(Error::new(ErrorKind::InvalidOperation, detail))
        }
        value => Ok(value.is_some_and(Value::is_true)),
    }
}

/// The first of those that are alike; what is wrong with them is found when they are read.
fn unique(state: &mut State, value: Value, case_sensitive: Option<bool>, attribute: &Value) -> Result<Value, Error> {
    let items = ranked(state, value, by(attribute), case_sensitive).and_then(|ranked| {
        ranked.iter().flat_map(|(ranks, _)| ranks).try_for_each(hashable)?;
        let mut seen = BTreeSet::new();
        Ok(ranked.into_iter().filter_map(|(rank, item)| seen.insert(rank).then_some(item)).collect())
    });
    generators::once("generator object sync_do_unique", items)
}

/// An error for what Python cannot look for among what it has seen.
fn hashable(rank: &Rank) -> Result<(), Error> {
    let name = python::type_name(&rank.value);
    if ["list", "dict"].contains(&name) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("unhashable type: '{name}'")));
    }
    Ok(())
}

fn min(state: &mut State, value: Value, case_sensitive: Option<bool>, attribute: &Value) -> Result<Value, Error> {
    let ranked = comparable(state, value, by(attribute), case_sensitive)?.into_iter();
    Ok(ranked.min_by(|(a, _), (b, _)| a.cmp(b)).map_or(Value::UNDEFINED, |(_, item)| item))
}

fn max(state: &mut State, value: Value, case_sensitive: Option<bool>, attribute: &Value) -> Result<Value, Error> {
    // Of several the first, where Rust takes the last.
    let ranked = comparable(state, value, by(attribute), case_sensitive)?.into_iter().rev();
    Ok(ranked.max_by(|(a, _), (b, _)| a.cmp(b)).map_or(Value::UNDEFINED, |(_, item)| item))
}

fn sum(state: &mut State, value: Value, attribute: Option<Value>, start: &Value) -> Result<Value, Error> {
    let start = given(start).cloned();
    start.as_ref().map_or(Ok(()), python::defined)?;
    let mut items = counted(state, value)?;
    if start.as_ref().is_some_and(Value::is_none) {
        // Nothing can be added to it.
        let Some(first) = items.first() else { return Ok(Value::from(())) };
        let detail = format!("unsupported operand type(s) for +: 'NoneType' and '{}'", python::type_name(first));
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    if let Some(attribute) = &attribute {
        items = items.into_iter().map(|item| along(item, attribute)).collect::<Result<_, _>>()?;
    }
    if let Some(item) = items.iter().find(|item| item.is_undefined()) {
        return Err(path::missing(attribute.as_ref(), item));
    }
    minijinja::filters::sum(state, items.into(), None, start, Kwargs::from_iter([] as [(&str, Value); 0]))
}

/// The pairs of a dictionary in order.
fn dictsort(
    value: &Value,
    case_sensitive: Option<bool>,
    by: Option<&str>,
    reverse: Option<&Value>,
) -> Result<Vec<Value>, Error> {
    let by_value = match by.unwrap_or("key") {
        "key" => false,
        "value" => true,
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "dictsort takes by='key' or by='value'")),
    };
    if value.kind() != ValueKind::Map {
        let detail = format!("dictsort takes a dictionary, not {}", value.kind());
        return Err(python::blaming(value, Error::new(ErrorKind::InvalidOperation, detail)));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let item = value.get_item(&key)?;
        let rank = Rank { value: if by_value { &item } else { &key }.clone(), folds: case_sensitive != Some(true) };
        pairs.push((rank, Value::from(Tuple::from([key, item]))));
    }
    let reverse = descends(reverse)?;
    pairs.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}
