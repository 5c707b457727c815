//! From the values of a pickle to tensors in the file.

use std::collections::BTreeMap;

use super::dict;
use super::pickle::{Id, Object, Objects, View};
use super::zip::Stored;
use crate::{Element, Error, Result, Tensor, tensor};

/// Bytes of a tensor's name, as in safetensors.
const NAME: usize = 4096;

/// The tensors of the pickle's value `root`, and notes on what was left out; `storage` finds the part of the file by a storage's key.
pub(super) fn tensors<'o>(
    objects: &'o Objects<'o>,
    root: Id,
    storage: impl Fn(&str) -> Option<Stored>,
) -> Result<(BTreeMap<String, Tensor>, Vec<String>)> {
    if !matches!(objects.get(root), Object::Dict(_)) {
        return Err(Error::pytorch(format!("a checkpoint that is {}", objects.get(root).kind())));
    }
    let Some(state) = dict::find(objects, root)? else {
        let names = dict::KNOWN.map(|name| format!("{name:?}")).join(", ");
        return Err(Error::pytorch(format!("a checkpoint without tensors, in it or under {names}")));
    };
    let mut notes = Vec::from_iter(state.note());

    let mut tensors = BTreeMap::new();
    let mut ignored = 0;
    for (key, value) in state.pairs {
        match (objects.get(*key), objects.get(*value)) {
            (Object::Text(name), Object::Tensor(view)) => {
                if name.is_empty() || name.len() > NAME {
                    let found = format!("a tensor's name of {} bytes", name.len());
                    return Err(Error::Key { key: "data.pkl".into(), found, expected: format!("1 to {NAME}") });
                }
                if tensors.insert((*name).to_owned(), place(objects, name, *view, &storage)?).is_some() {
                    return Err(Error::Duplicate { what: "tensor", name: (*name).into(), offset: 0 });
                }
            }
            _ => ignored += 1,
        }
    }
    if ignored > 0 {
        notes.push(format!("{ignored} values of the checkpoint that are not tensors are ignored"));
    }
    Ok((tensors, notes))
}

/// Where a tensor's data is in the file.
fn place(objects: &Objects<'_>, name: &str, view: View, entry: impl Fn(&str) -> Option<Stored>) -> Result<Tensor> {
    let wrong = |found: String, expected: String| Error::Tensor { name: name.into(), found, expected };
    // The pickle's reader made sure of these kinds.
    let Object::Storage(storage) = objects.get(view.storage) else {
        return Err(wrong(objects.get(view.storage).kind().into(), "a storage".into()));
    };
    let (shape, strides) = (objects.counts(view.shape).unwrap_or_default(), objects.counts(view.strides));
    let stored = entry(storage.key);
    let stored = stored.ok_or_else(|| wrong(format!("the storage {:?}", storage.key), "one in the file".into()))?;
    let size = view.element.size();
    let length = storage.length.checked_mul(storage.element.map_or(1, Element::size));
    if length != Some(stored.size) {
        let found = format!("a storage of {} elements in an entry of {} bytes", storage.length, stored.size);
        return Err(wrong(found, "an entry as long as the storage".into()));
    }
    let strides = strides.unwrap_or_default();
    let elements = shape.iter().try_fold(1, |product: u64, length| product.checked_mul(*length));
    let span = tensor::span(&shape, &strides);
    let bytes = |elements: Option<u64>| elements.and_then(|elements| elements.checked_mul(size));
    let end = view.offset.checked_mul(size).and_then(|start| start.checked_add(bytes(span)?));
    // A tensor with more elements than the storage repeats some: that is no weight, and could be of any size.
    let (Some(bytes), Some(_)) =
        (bytes(elements).filter(|bytes| *bytes <= stored.size), end.filter(|end| *end <= stored.size))
    else {
        let found = format!("the shape {shape:?} with strides {strides:?} from element {}", view.offset);
        return Err(wrong(found, format!("a range within its storage of {} bytes", stored.size)));
    };
    let strides = (!is_contiguous(&shape, &strides)).then_some(strides);
    let offset = stored.offset + view.offset * size;
    Ok(Tensor { element: view.element, shape, file: 0, offset, bytes, strides })
}

/// Whether each dimension steps over exactly those inside it. Where there is at most one element, no step is taken.
fn is_contiguous(shape: &[u64], strides: &[u64]) -> bool {
    if shape.contains(&0) {
        return true;
    }
    let mut step = 1;
    shape.iter().zip(strides).rev().all(|(length, stride)| {
        let fits = *length == 1 || *stride == step;
        step *= length;
        fits
    })
}
