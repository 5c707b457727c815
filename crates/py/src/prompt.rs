//! What generation starts from, as Python has it.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use trillm::{Prompt, Token};

use crate::errors::invalid;

const PROMPT: &str = "a text or a list of token ids";
const ID: &str = "token ids: whole numbers from 0 to 4294967295";

/// A prompt, owned: it leaves the interpreter with the call.
pub(crate) enum Given {
    Text(String),
    Tokens(Vec<Token>),
}

impl Given {
    pub(crate) fn new(prompt: &Bound<'_, PyAny>) -> PyResult<Self> {
        match prompt.cast::<PyString>() {
            Ok(given) => text("prompt", given).map(Self::Text),
            Err(_) => tokens("prompt", PROMPT, prompt).map(Self::Tokens),
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
pub(crate) fn is_batch(prompt: &Bound<'_, PyAny>) -> bool {
    !prompt.is_instance_of::<PyString>()
        && prompt.get_item(0).is_ok_and(|first| first.is_instance_of::<PyString>() || first.len().is_ok())
}

/// A text. One with half of a surrogate pair, as files names that are not UTF-8 have it in Python, is no Unicode.
pub(crate) fn text(name: &str, value: &Bound<'_, PyString>) -> PyResult<String> {
    value.to_cow().map(Cow::into_owned).map_err(|_| {
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

/// Token ids: of any sequence or array of whole numbers.
pub(crate) fn tokens(name: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<Token>> {
    let bytes = value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>();
    let items =
        if bytes || value.is_instance_of::<PyString>() || value.len().is_err() { None } else { value.try_iter().ok() };
    let Some(items) = items.filter(|_| value.hasattr("keys").is_ok_and(|mapping| !mapping)) else {
        return Err(invalid(name, &value.get_type().to_string(), expected));
    };
    let id = |(index, item): (usize, PyResult<Bound<'_, PyAny>>)| {
        let item = item?;
        item.extract().map(Token).map_err(|_| {
            let found = item.repr().map_or_else(|_| "something else".into(), |repr| repr.to_string());
            invalid(name, &format!("{found} at index {index}"), ID)
        })
    };
    items.enumerate().map(id).collect()
}
