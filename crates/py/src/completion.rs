//! What requests give back: values, which can be made, compared, copied and pickled as such.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyType};
use trillm::{FinishReason, Logprob, Text, Token};

use crate::door;
use crate::errors::invalid;

/// How a value is pickled, by whatever protocol: its class, and what that is called with.
type Reduced<'py, Arguments> = (Bound<'py, PyType>, Arguments);

/// An entry of `trillm._logprobs`.
type Entry<'py> = Bound<'py, PyAny>;

/// A class of `trillm._logprobs`.
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || door::module(py, "trillm._logprobs", |module| Ok(module.unbind())))?;
    module.bind(py).getattr(name)
}

fn entry<'py>(class: &Bound<'py, PyAny>, of: &Logprob) -> PyResult<Entry<'py>> {
    class.call1((of.token.0, of.logprob, &*of.text, PyBytes::new(class.py(), &of.bytes)))
}

/// The chosen token with the most probable ones.
fn chosen<'py>(py: Python<'py>, logprobs: &[Logprob]) -> PyResult<Option<Entry<'py>>> {
    let Some((chosen, top)) = logprobs.split_first() else { return Ok(None) };
    let one = class(py, "Logprob")?;
    let top: Vec<_> = top.iter().map(|other| entry(&one, other)).collect::<PyResult<_>>()?;
    class(py, "Logprobs")?.call1((entry(&one, chosen)?, top)).map(Some)
}

/// A pair of Python's, with its text and bytes if it has them.
fn read(given: &Entry<'_>) -> PyResult<Logprob> {
    let (token, logprob) = given.extract()?;
    let mut read = Logprob::new(Token(token), logprob);
    if let (Ok(text), Ok(bytes)) = (given.getattr("text"), given.getattr("bytes")) {
        read.text = text.extract::<String>()?.into();
        read.bytes = bytes.extract::<Vec<u8>>()?.into();
    }
    Ok(read)
}

/// The opposite of [`chosen`], of the entry for `token`; plain pairs are taken, too.
fn read_all(token: u32, given: &Entry<'_>) -> PyResult<Box<[Logprob]>> {
    let (logprob, top): (f32, Vec<Entry<'_>>) = given.extract()?;
    let chosen = given.getattr("chosen").map_or_else(|_| Ok(Logprob::new(Token(token), logprob)), |own| read(&own))?;
    join(chosen, &top)
}

fn join(chosen: Logprob, top: &[Entry<'_>]) -> PyResult<Box<[Logprob]>> {
    std::iter::once(Ok(chosen)).chain(top.iter().map(read)).collect()
}

type PieceArguments<'a, 'py> = (&'a str, Option<u32>, Option<f32>, Option<Vec<Entry<'py>>>, Option<Entry<'py>>);

/// A generated token and the text it completed, which may be empty.
#[pyclass(frozen, eq, module = "trillm._core")]
#[derive(PartialEq)]
pub(crate) struct Piece(pub(crate) trillm::Piece);

#[pymethods]
impl Piece {
    #[new]
    #[pyo3(signature = (text, token_id=None, logprob=None, top_logprobs=None, logprobs=None))]
    fn new(
        text: &str,
        token_id: Option<u32>,
        logprob: Option<f32>,
        top_logprobs: Option<Vec<Entry<'_>>>,
        logprobs: Option<Entry<'_>>,
    ) -> PyResult<Self> {
        let token = token_id.unwrap_or_default();
        let logprobs = match (logprobs, logprob) {
            (Some(given), _) => Some(read_all(token, &given)?),
            (None, Some(logprob)) => {
                Some(join(Logprob::new(Token(token), logprob), &top_logprobs.unwrap_or_default())?)
            }
            (None, None) => None,
        };
        Ok(Self(trillm::Piece { token: token_id.map(Token), text: Text::from(text), logprobs }))
    }

    fn __reduce__<'a, 'py>(this: &'a Bound<'py, Self>) -> PyResult<Reduced<'py, PieceArguments<'a, 'py>>> {
        let it = this.get();
        Ok((this.get_type(), (it.text(), it.token_id(), None, None, it.logprobs(this.py())?)))
    }

    /// All of it, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("text", self.text())?;
        dict.set_item("token_id", self.token_id())?;
        dict.set_item("logprob", self.logprob())?;
        let logprobs = self.logprobs(py)?.map(|entry| entry.call_method0("to_dict")).transpose()?;
        dict.set_item("top_logprobs", logprobs.as_ref().map(|entry| entry.get_item("top")).transpose()?)?;
        dict.set_item("logprobs", logprobs)?;
        Ok(dict)
    }

    /// Text that is complete now.
    #[getter]
    fn text(&self) -> &str {
        self.0.text.as_str()
    }

    /// The token; `None` when only text that was held back is flushed at the end.
    #[getter]
    fn token_id(&self) -> Option<u32> {
        self.0.token.map(|token| token.0)
    }

    /// The token's log-probability, if `logprobs` was asked for.
    #[getter]
    fn logprob(&self) -> Option<f32> {
        self.0.logprobs.as_deref()?.first().map(|chosen| chosen.logprob)
    }

    /// The same, and the most probable tokens, if asked for.
    #[getter]
    fn logprobs<'py>(&self, py: Python<'py>) -> PyResult<Option<Entry<'py>>> {
        chosen(py, self.0.logprobs.as_deref().unwrap_or_default())
    }

    /// The most probable tokens and their log-probabilities, if asked for.
    #[getter]
    fn top_logprobs<'py>(&self, py: Python<'py>) -> PyResult<Option<Entry<'py>>> {
        self.logprobs(py)?.map(|entry| entry.getattr("top")).transpose()
    }

    fn __repr__(&self) -> String {
        format!("<trillm.Piece {:?}>", self.text())
    }
}

/// Token counts.
#[expect(clippy::struct_field_names, reason = "the names that OpenAI's API made common")]
#[pyclass(frozen, get_all, eq, module = "trillm._core")]
#[derive(Clone, PartialEq)]
pub(crate) struct Usage {
    prompt_tokens: u32,
    cached_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

impl From<trillm::Usage> for Usage {
    fn from(usage: trillm::Usage) -> Self {
        Self::new(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
    }
}

#[pymethods]
impl Usage {
    #[new]
    fn new(prompt_tokens: u32, cached_tokens: u32, completion_tokens: u32) -> Self {
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, cached_tokens, completion_tokens, total_tokens }
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> Reduced<'py, (u32, u32, u32)> {
        let it = this.get();
        (this.get_type(), (it.prompt_tokens, it.cached_tokens, it.completion_tokens))
    }

    fn __repr__(&self) -> String {
        let Self { prompt_tokens, cached_tokens, completion_tokens, .. } = self;
        format!("<trillm.Usage {prompt_tokens} prompt ({cached_tokens} cached), {completion_tokens} completion>")
    }

    /// All of them, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("prompt_tokens", self.prompt_tokens)?;
        dict.set_item("cached_tokens", self.cached_tokens)?;
        dict.set_item("completion_tokens", self.completion_tokens)?;
        dict.set_item("total_tokens", self.total_tokens)?;
        Ok(dict)
    }
}

/// Where the time went, in seconds.
#[pyclass(frozen, get_all, eq, module = "trillm._core")]
#[derive(Clone, PartialEq)]
pub(crate) struct Timings {
    queue: f64,
    prefill: f64,
    decode: f64,
}

#[pymethods]
impl Timings {
    #[new]
    fn new(queue: f64, prefill: f64, decode: f64) -> Self {
        Self { queue, prefill, decode }
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> Reduced<'py, (f64, f64, f64)> {
        let it = this.get();
        (this.get_type(), (it.queue, it.prefill, it.decode))
    }

    fn __repr__(&self) -> String {
        let Self { queue, prefill, decode } = self;
        format!("<trillm.Timings queue {queue:.3} s, prefill {prefill:.3} s, decode {decode:.3} s>")
    }

    /// All of them, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("queue", self.queue)?;
        dict.set_item("prefill", self.prefill)?;
        dict.set_item("decode", self.decode)?;
        Ok(dict)
    }
}

/// A finished request.
#[pyclass(frozen, eq, module = "trillm._core")]
#[derive(PartialEq)]
pub(crate) struct Completion(pub(crate) trillm::Completion, Source);

/// Where an answer came from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Model,
    /// What a router kept of an equal request.
    Cache,
}

impl From<trillm::Completion> for Completion {
    fn from(completion: trillm::Completion) -> Self {
        Self(completion, Source::Model)
    }
}

type CompletionArguments<'a, 'py> = (&'a str, Vec<u32>, &'static str, Usage, Timings, Option<Vec<Entry<'py>>>, bool);

#[pymethods]
impl Completion {
    #[new]
    #[pyo3(signature = (text, token_ids, finish_reason, usage, timings, logprobs=None, cached=false))]
    fn new(
        text: String,
        token_ids: Vec<u32>,
        finish_reason: &str,
        usage: PyRef<'_, Usage>,
        timings: PyRef<'_, Timings>,
        logprobs: Option<Vec<Entry<'_>>>,
        cached: bool,
    ) -> PyResult<Self> {
        let reason = [FinishReason::Stop, FinishReason::Length].into_iter().find(|known| known.name() == finish_reason);
        let logprobs = logprobs.unwrap_or_default();
        let logprobs = logprobs.iter().zip(&token_ids).map(|(each, &token)| read_all(token, each));
        let completion = trillm::Completion {
            text,
            finish_reason: reason.ok_or_else(|| invalid("finish_reason", finish_reason, "stop or length"))?,
            usage: trillm::Usage {
                prompt_tokens: usage.prompt_tokens,
                cached_tokens: usage.cached_tokens,
                completion_tokens: usage.completion_tokens,
            },
            timings: trillm::Timings { queue: timings.queue, prefill: timings.prefill, decode: timings.decode },
            logprobs: logprobs.collect::<PyResult<_>>()?,
            tokens: token_ids.into_iter().map(Token).collect(),
        };
        Ok(Self(completion, if cached { Source::Cache } else { Source::Model }))
    }

    fn __reduce__<'a, 'py>(this: &'a Bound<'py, Self>) -> PyResult<Reduced<'py, CompletionArguments<'a, 'py>>> {
        let (it, logprobs) = (this.get(), this.get().logprobs(this.py())?);
        Ok((
            this.get_type(),
            (it.text(), it.token_ids(), it.finish_reason(), it.usage(), it.timings(), logprobs, it.cached()),
        ))
    }

    /// The generated text.
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    /// The generated tokens.
    #[getter]
    fn token_ids(&self) -> Vec<u32> {
        self.0.tokens.iter().map(|token| token.0).collect()
    }

    /// `"stop"` or `"length"`.
    #[getter]
    fn finish_reason(&self) -> &'static str {
        self.0.finish_reason.name()
    }

    /// Token counts.
    #[getter]
    fn usage(&self) -> Usage {
        self.0.usage.into()
    }

    /// Where the time went, in seconds.
    #[getter]
    fn timings(&self) -> Timings {
        let timings = self.0.timings;
        Timings { queue: timings.queue, prefill: timings.prefill, decode: timings.decode }
    }

    /// For each token its log-probability and the most probable ones, if asked for.
    #[getter]
    fn logprobs<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Entry<'py>>>> {
        let all: Vec<_> =
            self.0.logprobs.iter().filter_map(|each| chosen(py, each).transpose()).collect::<PyResult<_>>()?;
        Ok((!all.is_empty()).then_some(all))
    }

    /// Whether it is what a router kept of an equal request: nothing was computed for this one.
    #[getter]
    fn cached(&self) -> bool {
        self.1 == Source::Cache
    }

    /// All of it, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("text", self.text())?;
        dict.set_item("token_ids", self.token_ids())?;
        dict.set_item("finish_reason", self.finish_reason())?;
        dict.set_item("usage", self.usage().to_dict(py)?)?;
        dict.set_item("timings", self.timings().to_dict(py)?)?;
        let logprobs = self.logprobs(py)?;
        let said =
            |all: Vec<Entry<'py>>| all.iter().map(|each| each.call_method0("to_dict")).collect::<PyResult<Vec<_>>>();
        dict.set_item("logprobs", logprobs.map(said).transpose()?)?;
        dict.set_item("cached", self.cached())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<trillm.Completion {:?} ({})>", self.text(), self.finish_reason())
    }
}
