//! What requests give back.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::Logprob;

type Chosen = (f32, Vec<(u32, f32)>);

fn split(logprobs: &[Logprob]) -> Option<Chosen> {
    let (chosen, top) = logprobs.split_first()?;
    Some((chosen.logprob, top.iter().map(|other| (other.token.0, other.logprob)).collect()))
}

/// A generated token and the text it completed, which may be empty.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Piece(pub(crate) trillm::Piece);

#[pymethods]
impl Piece {
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
    fn top_logprobs(&self) -> Option<Vec<(u32, f32)>> {
        self.0.logprobs.as_deref().and_then(split).map(|(_, top)| top)
    }

    fn __repr__(&self) -> String {
        format!("<trillm.Piece {:?}>", self.text())
    }
}

/// Token counts.
#[expect(clippy::struct_field_names, reason = "the names that OpenAI's API made common")]
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Usage {
    prompt_tokens: u32,
    cached_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

#[pymethods]
impl Usage {
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
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Timings {
    queue: f64,
    prefill: f64,
    decode: f64,
}

#[pymethods]
impl Timings {
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
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Completion(pub(crate) trillm::Completion);

#[pymethods]
impl Completion {
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
        let usage = self.0.usage;
        Usage {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
        }
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
