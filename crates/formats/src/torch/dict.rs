//! Which dict of a checkpoint has the weights: trainers save it beside others, at any depth and under any name.
//!
//! The names of tensors decide, not how many there are: what an optimizer keeps and running means are tensors, too, and
//! more of them. What is meant is not guessed: two dicts that could be it are an error, unless one lies where most
//! trainers put it.

use std::collections::{BTreeMap, BTreeSet};

use super::pickle::{Id, Object, Objects};
use crate::huggingface::{is_embedding, is_of_layer};
use crate::{Error, Result, json};

/// Where trainers keep the state dict in what they save. Such a dict may hold another.
pub(super) const KNOWN: [&str; 4] = ["state_dict", "model", "model_state_dict", "module"];

/// Dicts within dicts: a pickle's may be cyclic.
const DEPTH: usize = 4;

/// A dict's keys and values.
type Pairs = Vec<(Id, Id)>;

/// A dict in a checkpoint.
pub(super) struct Place<'o> {
    /// The names that lead to it.
    path: Vec<&'o str>,
    pub(super) pairs: &'o Pairs,
    /// The most tensors of a dict that it is in, if they could be weights.
    beside: usize,
    /// How many other values there are on the way to it.
    others: usize,
}

impl Place<'_> {
    /// How far a name of the path is down the list of the known ones.
    fn rank(name: &str) -> usize {
        KNOWN.iter().position(|known| *known == name).unwrap_or(KNOWN.len())
    }

    fn is_known(&self) -> bool {
        self.path.first().is_some_and(|name| Self::rank(name) < KNOWN.len())
    }

    /// What goes before others: a known name in the whole, little depth, a known name further in. The whole comes last.
    fn order(&self) -> (usize, usize, usize) {
        let ranks = || self.path.iter().map(|name| Self::rank(name));
        (ranks().next().unwrap_or(usize::MAX), self.path.len(), ranks().min().unwrap_or(usize::MAX))
    }

    /// Its name, for messages.
    fn name(&self) -> String {
        json::excerpt(&self.path.join(".").into())
    }

    /// What is left out for it, if anything is.
    pub(super) fn note(&self) -> Option<String> {
        let note = || format!("only {} of the checkpoint is used, not {} other values", self.name(), self.others);
        (self.others > 0 && !self.path.is_empty()).then(note)
    }
}

/// The dict with the weights in the dict `root`; `None` if there are no tensors.
///
/// # Errors
/// [`Error::Pytorch`] if there are several.
pub(super) fn find<'o>(objects: &'o Objects<'o>, root: Id) -> Result<Option<Place<'o>>> {
    // A network has an embedding; one of its files has a layer at least; what comes behind it has names of any kind.
    let kinds: [fn(&str) -> bool; 3] = [is_embedding, is_of_layer, |_| true];
    for is_weight in kinds {
        let mut found = places(objects, root, is_weight);
        found.sort_by_key(Place::order);
        let mut found = found.into_iter();
        if let Some(first) = found.next() {
            return match found.next().filter(|next| next.order() == first.order()) {
                Some(next) => {
                    let (first, next) = (first.name(), next.name());
                    Err(Error::pytorch(format!("a checkpoint with tensors under {first} and under {next}")))
                }
                None => Ok(Some(first)),
            };
        }
    }
    Ok(None)
}

/// The dicts that have tensors, one of which at least has such a name, and more than those around them.
fn places<'o>(objects: &'o Objects<'o>, root: Id, is_weight: impl Fn(&str) -> bool) -> Vec<Place<'o>> {
    let Object::Dict(pairs) = objects.get(root) else { return Vec::new() };
    let (mut seen, mut found) = (BTreeSet::from([root]), Vec::new());
    let mut level = vec![Place { path: Vec::new(), pairs, beside: 0, others: 0 }];
    while !level.is_empty() {
        let mut next = Vec::new();
        for place in level {
            let size = size(objects, place.pairs, &is_weight);
            let beside = place.beside.max(size);
            let others = place.others + place.pairs.len().saturating_sub(1);
            if place.path.len() < DEPTH {
                for (name, id) in named(objects, place.pairs) {
                    // Of two ways to one dict the shorter.
                    if let Object::Dict(pairs) = objects.get(id)
                        && seen.insert(id)
                    {
                        next.push(Place { path: [&place.path[..], &[name]].concat(), pairs, beside, others });
                    }
                }
            }
            if size > 0 && (place.is_known() || size > place.beside) {
                found.push(place);
            }
        }
        level = next;
    }
    found
}

/// How many tensors there are, if any has a name of this kind.
fn size(objects: &Objects<'_>, pairs: &Pairs, is_weight: impl Fn(&str) -> bool) -> usize {
    let tensors = || pairs.iter().filter(|(_, value)| matches!(objects.get(*value), Object::Tensor(_)));
    let fits = |(key, _): &(Id, Id)| matches!(objects.get(*key), Object::Text(name) if is_weight(name));
    if tensors().any(fits) { tensors().count() } else { 0 }
}

/// The values that have texts for keys; the last of those that have the same, as in Python.
fn named<'o>(objects: &'o Objects<'o>, pairs: &Pairs) -> BTreeMap<&'o str, Id> {
    let named = |(key, value): &(Id, Id)| match objects.get(*key) {
        Object::Text(name) => Some((*name, *value)),
        _ => None,
    };
    pairs.iter().filter_map(named).collect()
}
