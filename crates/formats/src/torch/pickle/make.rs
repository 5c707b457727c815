//! The values that stand for calls: what `REDUCE`, `BUILD` and `BINPERSID` ask Python to make.

use super::global::Global;
use super::object::{Id, Object, Objects, Storage, View};
use crate::{Element, Error, Result};

fn wrong(what: &str, offset: u64, found: &str, expected: &'static str) -> Error {
    Error::Malformed { what: what.into(), offset, found: found.into(), expected }
}

impl<'a> Objects<'a> {
    /// The elements of a tuple.
    fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// What calling `function` with `arguments` would give.
    pub(super) fn call(&self, function: Id, arguments: Id, offset: u64) -> Result<Object<'a>> {
        const WHAT: &str = "a call in the pickle";
        let expected = "a dict, a size or a tensor to be made";
        let Object::Global(function) = self.get(function) else {
            return Err(wrong(WHAT, offset, self.get(function).kind(), expected));
        };
        let arguments =
            self.tuple(arguments).ok_or_else(|| wrong(WHAT, offset, self.get(arguments).kind(), "a tuple"))?;
        let made = match (function, arguments) {
            (Global::OrderedDict, []) => Some(Object::Dict(Vec::new())),
            (Global::Size, [sizes]) => self.counts(*sizes).map(|_| self.get(*sizes).clone()),
            (Global::RebuildParameter, [tensor, ..]) => match self.get(*tensor) {
                tensor @ Object::Tensor(_) => Some(tensor.clone()),
                _ => None,
            },
            (Global::RebuildTensor { typed }, [storage, start, shape, strides, _grad, _hooks, rest @ ..]) => {
                let dtype = if *typed { rest.first().map(|dtype| self.get(*dtype)) } else { None };
                self.view(*storage, [*start, *shape, *strides], dtype)
            }
            _ => None,
        };
        made.ok_or_else(|| wrong(WHAT, offset, "other arguments", "those that torch.save writes"))
    }

    /// A tensor of a storage, from the numbers that place it: its start, shape and strides.
    fn view(&self, storage: Id, place: [Id; 3], dtype: Option<&Object<'a>>) -> Option<Object<'a>> {
        let Object::Storage(stored) = self.get(storage) else { return None };
        let element = match (stored.element, dtype) {
            (Some(element), None) => element,
            (None, Some(Object::Global(Global::Dtype(element)))) => *element,
            _ => return None,
        };
        let [start, shape, strides] = place;
        let same = self.counts(shape)?.len() == self.counts(strides)?.len();
        let offset = self.count(start)?;
        same.then_some(Object::Tensor(View { storage, element, offset, shape, strides }))
    }

    /// The storage that a persistent id stands for: `('storage', type, key, device, length)`. In the older form `None` is
    /// behind it, where versions before 0.4 had a part of another storage.
    pub(super) fn persistent(&self, id: Id, offset: u64) -> Result<Object<'a>> {
        let storage = || {
            let [kind, class, key, _device, length, part @ ..] = self.tuple(id)? else { return None };
            let is_whole = match part {
                [] => true,
                [part] => matches!(self.get(*part), Object::None),
                _ => false,
            };
            let element: Option<Element> = match self.get(*class) {
                Object::Global(Global::Storage(element)) => *element,
                _ => return None,
            };
            match (self.get(*kind), self.get(*key)) {
                (Object::Text("storage"), Object::Text(key)) if is_whole => {
                    Some(Object::Storage(Storage { element, key, length: self.count(*length)? }))
                }
                _ => None,
            }
        };
        storage()
            .ok_or_else(|| wrong("a persistent id", offset, self.get(id).kind(), "a storage as torch.save names it"))
    }

    /// Checks that state may be given to a value. A dict's is not kept: `_metadata`, for old versions of modules.
    pub(super) fn build(&self, id: Id, offset: u64) -> Result<()> {
        match self.get(id) {
            Object::Dict(_) => Ok(()),
            other => Err(wrong("state in the pickle", offset, other.kind(), "state for a dict alone")),
        }
    }
}
