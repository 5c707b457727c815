//! The values that a pickle builds.

use crate::{Element, Error, Result};

use super::global::Global;

/// Names a value of [`Objects`]. Values refer to each other by it, so cycles are harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::torch) struct Id(u32);

/// What `persistent_id` of `torch.save` says of a storage: an entry of the archive, or a part behind the pickles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::torch) struct Storage<'a> {
    /// `None` is bytes, whose type the tensor says.
    pub(in crate::torch) element: Option<Element>,
    /// The entry is `data/` and this; in the older form, the part has this key.
    pub(in crate::torch) key: &'a str,
    /// Elements; bytes where `element` is `None`.
    pub(in crate::torch) length: u64,
}

/// A tensor: a part of a storage. It refers to values and holds none, so that a small pickle stays small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::torch) struct View {
    pub(in crate::torch) storage: Id,
    pub(in crate::torch) element: Element,
    /// In elements from the start of the storage.
    pub(in crate::torch) offset: u64,
    pub(in crate::torch) shape: Id,
    pub(in crate::torch) strides: Id,
}

/// A value. Those that no tensor is made of are kept as `Other`: that they were there is all that is known.
#[derive(Clone, Debug)]
pub(in crate::torch) enum Object<'a> {
    None,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(View),
    Other,
}

impl Object<'_> {
    /// Its kind, for messages.
    pub(in crate::torch) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Int(_) => "a whole number",
            Self::Text(_) => "a string",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a class or function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::Other => "another value",
        }
    }
}

/// All values of one pickle.
#[derive(Default)]
pub(in crate::torch) struct Objects<'a> {
    all: Vec<Object<'a>>,
}

impl<'a> Objects<'a> {
    /// Values of one pickle. A tensor takes some fifteen.
    pub(super) const LIMIT: usize = 1 << 20;
    /// Dimensions of a tensor.
    const DIMENSIONS: usize = 16;

    pub(super) fn add(&mut self, object: Object<'a>, offset: u64) -> Result<Id> {
        if self.all.len() >= Self::LIMIT {
            let limit = Self::LIMIT as u64;
            return Err(Error::Limit { what: "values of the pickle".into(), offset, found: limit + 1, limit });
        }
        self.all.push(object);
        Ok(Id(self.all.len() as u32 - 1))
    }

    pub(in crate::torch) fn get(&self, id: Id) -> &Object<'a> {
        // Only `add` makes ids, and nothing is ever removed.
        self.all.get(id.0 as usize).unwrap_or(&Object::None)
    }

    /// All storages, each as often as it is named.
    pub(in crate::torch) fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.all.iter().filter_map(|object| if let Object::Storage(storage) = object { Some(storage) } else { None })
    }

    /// A tuple of whole numbers, as shapes are.
    pub(in crate::torch) fn counts(&self, id: Id) -> Option<Vec<u64>> {
        let Object::Tuple(items) = self.get(id) else { return None };
        (items.len() <= Self::DIMENSIONS).then(|| items.iter().map(|item| self.count(*item)).collect())?
    }

    /// A whole number.
    pub(super) fn count(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Object::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Object<'a>> {
        self.all.get_mut(id.0 as usize)
    }
}
