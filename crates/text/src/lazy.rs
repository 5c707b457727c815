//! Values of Python that minijinja has as lists: what `map` and its like give, views of dictionaries, and ranges.
//!
//! A template sees the difference: what `map` gives is true even if empty, has no length and no items, and is gone once
//! it was read. What makes them is in `generators.rs`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::IntoIter;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// What is read once, from first to last.
#[derive(Debug)]
pub(crate) struct Once {
    /// What it is, as Python prints it.
    name: &'static str,
    items: Mutex<IntoIter<Value>>,
}

impl Once {
    pub(crate) fn new(name: &'static str, items: Vec<Value>) -> Self {
        Self { name, items: Mutex::new(items.into_iter()) }
    }

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

/// `dict.keys()`, `dict.values()` and `dict.items()`.
#[derive(Debug)]
pub(crate) struct View {
    /// What it is, as Python prints it.
    pub(crate) name: &'static str,
    pub(crate) items: Vec<Value>,
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

/// `range(start, stop, step)`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) start: i64,
    pub(crate) stop: i64,
    pub(crate) step: i64,
}

impl Range {
    pub(crate) fn len(&self) -> u64 {
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

/// Whether Python has a value for what it gives and not for a list.
pub(crate) fn is_lazy(value: &Value) -> bool {
    value.downcast_object_ref::<Once>().is_some()
        || value.downcast_object_ref::<View>().is_some()
        || value.downcast_object_ref::<Range>().is_some()
}
