//! A model's tokenizer without its weights.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm::VocabularyFile;

use crate::aside::{aside, is_long};
use crate::door;
use crate::enter::{AT_ONCE, enter, let_others, outside};
use crate::errors::{invalid, raise};
use crate::params::{each, flag};
use crate::{prompt, room};

/// A model's tokenizer, without its weights.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Tokenizer(Arc<VocabularyFile>);

#[pymethods]
impl Tokenizer {
    #[new]
    fn new(py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        // Until it is read, nothing may collect it.
        let (path, _kept): (PathBuf, Bound<'_, PyAny>) =
            door::module(py, "trillm._reference", |reference| reference.call_method1("located", (path,))?.extract())?;
        enter(py, || VocabularyFile::open(&path)).map(Arc::new).map(Self)
    }

    /// Token ids of `text`. `add_special` adds BOS and its like where the model wants them; `parse_special` reads
    /// control tokens written out in the text as such.
    #[pyo3(signature = (text, add_special=None, parse_special=None, **unknown))]
    fn encode<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        add_special: Option<&Bound<'_, PyAny>>,
        parse_special: Option<&Bound<'_, PyAny>>,
        unknown: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        Encode::new(text, add_special, parse_special, unknown)?.run(
            text.py(),
            self.0.clone(),
            VocabularyFile::tokenizer,
        )
    }

    /// The text of token ids as a whole one: what a `tokenizer.json` does at the ends of a text is done, and a space that
    /// `encode` put before it is taken away; a stream does neither. Incomplete characters become U+FFFD. An id that does
    /// not exist is an error.
    fn decode(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<String> {
        decode(py, self.0.tokenizer(), ids)
    }

    /// Number of tokens.
    #[getter]
    fn vocabulary(&self) -> u32 {
        self.0.tokenizer().vocabulary()
    }

    /// The token that begins a text, if there is one.
    #[getter]
    fn bos(&self) -> Option<u32> {
        self.0.tokenizer().bos().map(|token| token.0)
    }

    /// The token that ends a text, if there is one.
    #[getter]
    fn eos(&self) -> Option<u32> {
        self.0.tokenizer().eos().map(|token| token.0)
    }
}

/// What is to become tokens, read and owned.
pub(crate) struct Encode {
    text: String,
    add_special: bool,
    parse_special: bool,
}

impl Encode {
    /// `None` is for the default. Of what is `unknown` nothing is taken.
    pub(crate) fn new(
        text: &Bound<'_, PyAny>,
        add_special: Option<&Bound<'_, PyAny>>,
        parse_special: Option<&Bound<'_, PyAny>>,
        unknown: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        each("EncodeParams", unknown, |_, _| Ok(false))?;
        Ok(Self {
            text: prompt::one_text("text", text, "a text")?,
            add_special: add_special.map_or(Ok(true), |value| flag("add_special", value))?,
            parse_special: parse_special.map_or(Ok(false), |value| flag("parse_special", value))?,
        })
    }

    /// The tokens, by the tokenizer that `with` has; signals are seen while a long text becomes tokens.
    pub(crate) fn run<W: Send + Sync + 'static>(
        self,
        py: Python<'_>,
        with: Arc<W>,
        tokenizer: fn(&W) -> &dyn trillm::Tokenizer,
    ) -> PyResult<Bound<'_, PyList>> {
        let made = aside(py, is_long(&self.text), with, move |with, _| {
            let mut tokens = Vec::new();
            tokenizer(with).encode(&self.text, self.add_special, self.parse_special, &mut tokens)?;
            Ok::<_, trillm::Error>(tokens)
        })?;
        listed(py, &made.map_err(raise)?)
    }
}

/// Token ids as a list of Python's.
fn listed<'py>(py: Python<'py>, tokens: &[trillm::Token]) -> PyResult<Bound<'py, PyList>> {
    // A place in the list, which has an eighth more of them than it needs, and a number.
    const WHAT: &str = "a list of token ids";
    room::check::<[u8; 48]>(tokens.len(), WHAT)?;
    let lacks = |error| room::told(py, error, WHAT);
    let made = |part: &[trillm::Token]| PyList::new(py, part.iter().map(|token| token.0)).map_err(lacks);
    let (first, rest) = tokens.split_at(tokens.len().min(AT_ONCE));
    let list = made(first)?;
    for part in rest.chunks(AT_ONCE) {
        let_others(py)?;
        list.set_slice(list.len(), list.len(), made(part)?.as_any()).map_err(lacks)?;
    }
    Ok(list)
}

pub(crate) fn decode(py: Python<'_>, tokenizer: &dyn trillm::Tokenizer, ids: &Bound<'_, PyAny>) -> PyResult<String> {
    let tokens = prompt::tokens("ids", prompt::IDS, ids)?;
    let vocabulary = tokenizer.vocabulary();
    // A text may have tokens that were added behind the rows of the model.
    let is_unknown = |token: &trillm::Token| token.0 >= vocabulary && tokenizer.spelling(*token).is_none();
    if let Some(index) = tokens.iter().position(is_unknown) {
        let found = format!("{} at index {index}", tokens[index].0);
        return Err(invalid("ids", &found, &format!("ids of this model's vocabulary, below {vocabulary}")));
    }
    // The bytes, the text that they are, and Python's own.
    room::check::<[u8; 4]>(tokens.iter().map(|token| tokenizer.bytes(*token).len()).sum(), "a text")?;
    outside(py, || tokenizer.decode(&tokens))
}
