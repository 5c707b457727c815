//! What generation starts from, as Python has it.

use std::borrow::Cow;

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyMemoryView, PyString, PyTuple};
use trillm::{Prompt, Token};

use crate::enter::let_others_after;
use crate::errors::{invalid, repr};
use crate::room;

const PROMPT: &str = "a text, or a list, tuple or array of token ids";
pub(crate) const IDS: &str = "a list, tuple or array of token ids";
/// Characters that there is memory for, without a look.
const SHORT: usize = 1 << 16;
const ID: &str = "token ids: whole numbers from 0 to 4294967295";

/// One token id. `True` is a number to Python, and none of numpy's.
pub(crate) fn id(value: &Bound<'_, PyAny>) -> Option<Token> {
    if value.is_instance_of::<PyBool>() { None } else { value.extract().map(Token).ok() }
}

/// A prompt, owned: it leaves the interpreter with the call.
pub(crate) enum Given {
    Text(String),
    Tokens(Vec<Token>),
}

impl Given {
    /// `name` is what errors call it.
    pub(crate) fn new(name: &str, prompt: &Bound<'_, PyAny>) -> PyResult<Self> {
        let prompt = scalar(prompt)?;
        match prompt.cast::<PyString>() {
            Ok(given) => text(name, given).map(Self::Text),
            Err(_) => tokens(name, PROMPT, &prompt).map(Self::Tokens),
        }
    }

    pub(crate) fn prompt(&self, add_special: bool, parse_special: bool) -> Prompt<'_> {
        match self {
            Self::Text(text) => Prompt::Text { text, add_special, parse_special },
            Self::Tokens(tokens) => Prompt::Tokens(tokens),
        }
    }
}

/// Whether `prompt` is a list of prompts rather than one: a sequence whose first item is not a number.
#[pyfunction]
pub(crate) fn is_batch(prompt: &Bound<'_, PyAny>) -> bool {
    !is_text(prompt) && prompt.get_item(0).is_ok_and(|first| first.is_instance_of::<PyString>() || first.len().is_ok())
}

/// Whether `messages` is a list of chats rather than one: its first item is itself a list.
#[pyfunction]
pub(crate) fn is_list_of_chats(messages: &Bound<'_, PyAny>) -> bool {
    messages.get_item(0).is_ok_and(|first| is_list(&first))
}

/// Whether it is a text, or a class of somebody's that stands for one (`UserString`) and is taken for none: it has
/// places, too, with texts at them.
fn is_text(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>() || value.hasattr("isidentifier").unwrap_or(false)
}

/// Whether it has places, such as a list, a tuple, a deque or an array: no text, bytes, set or mapping.
fn is_list(value: &Bound<'_, PyAny>) -> bool {
    let has = |name: &str| value.hasattr(name).unwrap_or(false);
    !is_text(value) && !is_bytes(value) && value.len().is_ok() && has("__getitem__") && !has("keys")
}

pub(crate) fn is_bytes(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>()
}

/// What an array without dimensions holds; anything else as it is.
pub(crate) fn scalar<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let shape = value.getattr_opt("shape").ok().flatten();
    let holds_one = shape.is_some_and(|shape| shape.cast::<PyTuple>().is_ok_and(PyTupleMethods::is_empty));
    if holds_one { value.call_method0("item") } else { Ok(value.clone()) }
}

/// What errors call an element of an argument.
pub(crate) fn element(name: &str, index: usize) -> String {
    format!("{name}[{index}]")
}

/// A text or a list of texts; whatever else there is, is named.
pub(crate) fn texts(name: &str, value: &Bound<'_, PyAny>, expected: &str) -> PyResult<Vec<String>> {
    let value = scalar(value)?;
    if let Ok(one) = value.cast::<PyString>() {
        return Ok(vec![text(name, one)?]);
    }
    let refused = || invalid(name, &repr(&value), expected);
    if is_bytes(&value) || is_text(&value) {
        return Err(refused());
    }
    // Each is a place in a list here and in another one of Rust's, and a piece of memory of its own.
    room::check::<[u8; 96]>(value.len().unwrap_or_default(), name)?;
    let items: Vec<Bound<'_, PyAny>> = value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyMemoryError>(value.py()) { room::told(value.py(), error, name) } else { refused() }
    })?;
    let item = |(index, item): (usize, &Bound<'_, PyAny>)| {
        let_others_after(value.py(), index)?;
        // The usual, before a name is made for what is wrong.
        let short = item.cast_exact::<PyString>().ok().filter(|item| item.len().is_ok_and(|length| length < SHORT));
        match short.map(PyStringMethods::to_cow) {
            Some(Ok(text)) => Ok(text.into_owned()),
            _ => one_text(&element(name, index), item, "a text"),
        }
    };
    items.iter().enumerate().map(item).collect()
}

/// One text; whatever else there is, is named.
pub(crate) fn one_text(name: &str, value: &Bound<'_, PyAny>, expected: &str) -> PyResult<String> {
    let value = scalar(value)?;
    text(name, value.cast::<PyString>().map_err(|_| invalid(name, &repr(&value), expected))?)
}

/// A text. One with half of a surrogate pair, as files names that are not UTF-8 have it in Python, is no Unicode.
fn text(name: &str, value: &Bound<'_, PyString>) -> PyResult<String> {
    // A character has four bytes at most.
    room::check::<[u8; 4]>(value.len()?, name)?;
    value.to_cow().map(Cow::into_owned).map_err(|error| {
        if error.is_instance_of::<PyMemoryError>(value.py()) {
            return room::told(value.py(), error, name);
        }
        let index = value.as_any().try_iter().ok().and_then(|characters| {
            characters.enumerate().find(|(_, c)| c.as_ref().is_ok_and(|c| c.extract::<&str>().is_err()))
        });
        let index = index.map(|(index, _)| format!(" at index {index}")).unwrap_or_default();
        invalid(
            name,
            &format!("a text with a lone surrogate{index}"),
            "Unicode: text.encode(errors=\"replace\").decode()",
        )
    })
}

/// Token ids: of any sequence or array of whole numbers. What has no places, such as a set, has no order to go by.
pub(crate) fn tokens(name: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<Token>> {
    let items = if is_list(value) { value.try_iter().ok() } else { None };
    let items = items.ok_or_else(|| invalid(name, &value.get_type().to_string(), expected))?;
    let length = value.len()?;
    // A list that turns out to be longer grows to twice its size.
    room::check::<[Token; 3]>(length, name)?;
    let mut tokens = Vec::with_capacity(length);
    for (index, item) in items.enumerate() {
        let item = item?;
        let_others_after(value.py(), index)?;
        let refused = || invalid(name, &format!("{} at index {index}", repr(&item)), ID);
        tokens.push(id(&item).ok_or_else(refused)?);
    }
    Ok(tokens)
}
