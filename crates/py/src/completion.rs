//! What requests give back: values, which can be made, compared, copied and pickled as such.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::{FinishReason, Logprob, Text, Token};

use crate::errors::invalid;

type Top = Vec<(u32, f32)>;
type Chosen = (f32, Top);

fn split(logprobs: &[Logprob]) -> Option<Chosen> {
    let (chosen, top) = logprobs.split_first()?;
    Some((chosen.logprob, top.iter().map(|other| (other.token.0, other.logprob)).collect()))
}

/// The opposite of [`split`].
fn join(token: u32, (logprob, top): Chosen) -> Box<[Logprob]> {
    let entry = |(token, logprob)| Logprob { token: Token(token), logprob };
    std::iter::once((token, logprob)).chain(top).map(entry).collect()
}

/// A generated token and the text it completed, which may be empty.
#[pyclass(frozen, eq, module = "trillm._core")]
#[derive(PartialEq)]
pub(crate) struct Piece(pub(crate) trillm::Piece);

#[pymethods]
impl Piece {
    #[new]
    #[pyo3(signature = (text, token_id=None, logprob=None, top_logprobs=None))]
    fn new(text: &str, token_id: Option<u32>, logprob: Option<f32>, top_logprobs: Option<Top>) -> Self {
        let logprobs =
            logprob.map(|logprob| join(token_id.unwrap_or_default(), (logprob, top_logprobs.unwrap_or_default())));
        Self(trillm::Piece { token: token_id.map(Token), text: Text::from(text), logprobs })
    }

    fn __getnewargs__(&self) -> (&str, Option<u32>, Option<f32>, Option<Top>) {
        (self.text(), self.token_id(), self.logprob(), self.top_logprobs())
    }

    /// All of it, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("text", self.text())?;
        dict.set_item("token_id", self.token_id())?;
        dict.set_item("logprob", self.logprob())?;
        dict.set_item("top_logprobs", self.top_logprobs())?;
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
        self.0.logprobs.as_deref().and_then(split).map(|(chosen, _)| chosen)
    }

    /// The most probable tokens and their log-probabilities, if asked for.
    #[getter]
    fn top_logprobs(&self) -> Option<Top> {
        self.0.logprobs.as_deref().and_then(split).map(|(_, top)| top)
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

    fn __getnewargs__(&self) -> (u32, u32, u32) {
        (self.prompt_tokens, self.cached_tokens, self.completion_tokens)
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

    fn __getnewargs__(&self) -> (f64, f64, f64) {
        (self.queue, self.prefill, self.decode)
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
pub(crate) struct Completion(pub(crate) trillm::Completion);

type CompletionArguments<'a> = (&'a str, Vec<u32>, &'static str, Usage, Timings, Option<Vec<Chosen>>);

#[pymethods]
impl Completion {
    #[new]
    #[pyo3(signature = (text, token_ids, finish_reason, usage, timings, logprobs=None))]
    fn new(
        text: String,
        token_ids: Vec<u32>,
        finish_reason: &str,
        usage: PyRef<'_, Usage>,
        timings: PyRef<'_, Timings>,
        logprobs: Option<Vec<Chosen>>,
    ) -> PyResult<Self> {
        let reason = [FinishReason::Stop, FinishReason::Length].into_iter().find(|known| known.name() == finish_reason);
        let logprobs = logprobs.into_iter().flatten().zip(&token_ids).map(|(each, &token)| join(token, each)).collect();
        Ok(Self(trillm::Completion {
            text,
            finish_reason: reason.ok_or_else(|| invalid("finish_reason", finish_reason, "stop or length"))?,
            usage: trillm::Usage {
                prompt_tokens: usage.prompt_tokens,
                cached_tokens: usage.cached_tokens,
                completion_tokens: usage.completion_tokens,
            },
            timings: trillm::Timings { queue: timings.queue, prefill: timings.prefill, decode: timings.decode },
            logprobs,
            tokens: token_ids.into_iter().map(Token).collect(),
        }))
    }

    fn __getnewargs__(&self) -> CompletionArguments<'_> {
        (self.text(), self.token_ids(), self.finish_reason(), self.usage(), self.timings(), self.logprobs())
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
    fn logprobs(&self) -> Option<Vec<Chosen>> {
        let all: Vec<Chosen> = self.0.logprobs.iter().filter_map(|each| split(each)).collect();
        (!all.is_empty()).then_some(all)
    }

    /// All of it, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("text", self.text())?;
        dict.set_item("token_ids", self.token_ids())?;
        dict.set_item("finish_reason", self.finish_reason())?;
        dict.set_item("usage", self.usage().to_dict(py)?)?;
        dict.set_item("timings", self.timings().to_dict(py)?)?;
        dict.set_item("logprobs", self.logprobs())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<trillm.Completion {:?} ({})>", self.text(), self.finish_reason())
    }
}
