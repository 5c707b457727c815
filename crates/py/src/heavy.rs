//! Arguments that take long to read, and have to be read with the interpreter lock: megabytes of text, a million ids,
//! large tools.
//!
//! An event loop does not wait for that. They are read on the thread beside it, which lets others have the lock now and
//! then. A list or mapping is copied before, so that what counts is what it held when the call was made.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

/// Characters that are read within a millisecond, on a slow machine.
const MUCH: usize = 1 << 16;

/// An element of a list takes as long as so many characters.
const ELEMENT: usize = 16;

/// Lists and mappings in each other that are looked into: a list of chats has messages, which have parts.
const DEEPEST: usize = 5;

/// Whether reading it takes longer than a millisecond, as far as that can be told without calling anybody's code.
pub(crate) fn is_heavy(value: &Bound<'_, PyAny>) -> bool {
    let known = value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PyDict>();
    if known { left(value, MUCH, DEEPEST).is_none() } else { value.len().unwrap_or_default() > MUCH / ELEMENT }
}

/// What is left of a budget after a value is read; `None` if it is not enough.
fn left(value: &Bound<'_, PyAny>, budget: usize, depth: usize) -> Option<usize> {
    let budget = budget.checked_sub(ELEMENT)?;
    let below = |count: usize| budget.checked_sub(count.saturating_mul(ELEMENT)).map(|_| budget);
    let each = |budget, item: Bound<'_, PyAny>| left(&item, budget, depth - 1);
    if let Ok(text) = value.cast::<PyString>() {
        budget.checked_sub(text.len().unwrap_or_default())
    } else if depth == 0 {
        Some(budget)
    } else if let Ok(list) = value.cast::<PyList>() {
        list.iter().try_fold(below(list.len())?, each)
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        tuple.iter().try_fold(below(tuple.len())?, each)
    } else if let Ok(mapping) = value.cast::<PyDict>() {
        mapping.iter().try_fold(below(mapping.len())?, |budget, (_, item)| each(budget, item))
    } else {
        Some(budget)
    }
}

/// What is read later: of a list or a mapping a copy.
pub(crate) fn kept(value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(list.get_slice(0, list.len()).into_any().unbind());
    }
    match value.cast_exact::<PyDict>() {
        Ok(mapping) => Ok(mapping.copy()?.into_any().unbind()),
        Err(_) => Ok(value.clone().unbind()),
    }
}
