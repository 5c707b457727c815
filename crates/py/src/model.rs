//! A loaded model.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm::{Class, Generation, Llm, Stats};

use crate::aside::aside;
use crate::call::{Asked, Asking, Call, try_start};
use crate::completion::Completion;
use crate::door::{self, inside};
use crate::enter::{outside, wait};
use crate::errors::{exception, raise};
use crate::info::ModelInfo;
use crate::lifetime::{Owned, Used};
use crate::params::{Chat, messages as chat_messages, open_options};
use crate::place::Place;
use crate::prompt::{is_batch, is_list_of_chats};
use crate::room;
use crate::stream::{Stream, TURN};
use crate::tokenizer::{Encode, decode};
use crate::vectors::{self, Embedding};
use crate::watch::Watch;

/// A loaded model.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Model {
    used: Arc<Used>,
}

impl Model {
    pub(crate) fn of(llm: Llm) -> Self {
        Self { used: Used::alone(Owned::new(llm)) }
    }

    /// For somebody who leased it.
    pub(crate) fn leased(used: Arc<Used>) -> Self {
        Self { used }
    }

    /// What a router keeps of it.
    pub(crate) fn owned(&self) -> &Arc<Owned> {
        self.used.owned()
    }

    fn start(&self, py: Python<'_>, asked: Asked) -> PyResult<(Generation, Place)> {
        let (llm, place) = (self.used.get()?, asked.place);
        let mut ready = Some(asked.ready(py, &llm)?);
        Ok((outside(py, || llm.start(&mut ready))?.map_err(raise)?, place))
    }

    fn begin(&self, py: Python<'_>, asked: Asked) -> PyResult<Stream> {
        let (generation, place) = self.start(py, asked)?;
        Ok(Stream::new(generation, self.used.clone(), place))
    }

    /// Runs one request to its end, or a list of them as one batch: as many are queued as the queue takes before any is
    /// waited for, so that they run together. While others fill the queue, a list waits for room.
    fn run<'py>(
        &self,
        given: &Bound<'py, PyAny>,
        is_list: bool,
        read: impl Fn(&Bound<'py, PyAny>, Option<usize>) -> PyResult<Asked>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = given.py();
        if !is_list {
            let completion = Stream::finish(py, self.start(py, read(given, None)?)?)?;
            return Ok(Bound::new(py, Completion::from(completion))?.into_any());
        }
        let llm = self.used.get()?;
        let mut running = VecDeque::new();
        let finished = PyList::empty(py);
        for (index, each) in given.try_iter()?.enumerate() {
            let asked = read(&each?, Some(index))?;
            let place = asked.place;
            let mut ready = Some(asked.ready(py, &llm)?);
            loop {
                if let Some(generation) = outside(py, || try_start(&llm, &mut ready))?.map_err(raise)? {
                    break running.push_back((generation, place));
                }
                match running.pop_front() {
                    Some(oldest) => finished.append(Completion::from(Stream::finish(py, oldest)?))?,
                    None => wait(py, || {
                        thread::sleep(TURN);
                        true
                    })?,
                }
            }
        }
        for generation in running {
            finished.append(Completion::from(Stream::finish(py, generation)?))?;
        }
        Ok(finished.into_any())
    }
}

/// Asks Python for the library of ONNX Runtime, if a graph needs it.
pub(crate) fn finding_runtime(watch: &Arc<Watch>) -> trillm::Find {
    let watch = watch.clone();
    Arc::new(move || find_runtime(&watch))
}

/// Where the package of ONNX Runtime has its library.
fn find_runtime(watch: &Watch) -> Result<Option<PathBuf>, trillm::CoreError> {
    let found = inside(|py| door::module(py, "trillm._runtime", |runtime| runtime.call_method0("library")?.extract()));
    found.map_err(|error: PyErr| {
        watch.ended_by(error);
        trillm::CoreError::Cancelled
    })
}

/// The counters of a model, and how long its requests took, in seconds.
pub(crate) fn stats(dict: &Bound<'_, PyDict>, stats: &Stats) -> PyResult<()> {
    for (name, value) in stats.all() {
        dict.set_item(name, value)?;
    }
    for (name, taken) in [("latency", &stats.latency), ("first_token_time", &stats.first_token)] {
        let times = PyDict::new(dict.py());
        times.set_item("count", taken.count)?;
        for (percent, time) in [("p50", taken.p50), ("p95", taken.p95), ("p99", taken.p99)] {
            // Of none there is none.
            times.set_item(percent, (taken.count > 0).then_some(time.as_secs_f64()))?;
        }
        dict.set_item(name, times)?;
    }
    Ok(())
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (path, **params))]
    fn new(py: Python<'_>, path: PathBuf, params: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let (mut options, callback) = open_options(params)?;
        let watch = Arc::new(Watch::new(callback));
        options.load.progress = Some({
            let watch = watch.clone();
            Arc::new(move |share| watch.goes_on((share,)))
        });
        options.load.find_runtime = Some(finding_runtime(&watch));
        outside(py, move || Llm::open(&path, options))?.map(Self::of).map_err(|error| match (watch.raised(), error) {
            (Some(raised), _) => raised,
            (None, trillm::Error::Core(trillm::CoreError::Cancelled)) => {
                exception((Class::Load, "load_cancelled"), "loading was cancelled by the progress callback", None)
            }
            (None, error) => raise(error),
        })
    }

    #[pyo3(signature = (prompt, **params))]
    fn generate<'py>(
        &self,
        prompt: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(prompt, is_batch(prompt), |prompt, index| {
            Asking::prompt(&self.used.info.defaults, index, params)?.of(prompt)
        })
    }

    #[pyo3(signature = (prompt, **params))]
    fn stream(
        &self,
        py: Python<'_>,
        prompt: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        self.begin(py, Asking::prompt(&self.used.info.defaults, None, params)?.of(prompt)?)
    }

    #[pyo3(signature = (messages, **params))]
    fn chat<'py>(
        &self,
        messages: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(messages, is_list_of_chats(messages), |chat, index| {
            Asking::chat(&self.used.info.defaults, index, params)?.of(chat)
        })
    }

    #[pyo3(signature = (messages, **params))]
    fn chat_stream(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        self.begin(py, Asking::chat(&self.used.info.defaults, None, params)?.of(messages)?)
    }

    #[pyo3(signature = (messages, **params))]
    fn render_chat(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<String> {
        let llm = self.used.get()?;
        let place = Place { argument: "messages", index: None };
        let (messages, chat) = (chat_messages(place, messages)?, Chat::new(&self.used.info.defaults, params)?);
        let text =
            aside(py, true, llm, move |llm, _| llm.render_chat(&messages, &chat.options, chat.template.as_deref()));
        let text = text?.map_err(raise)?;
        // Python's own text has four bytes for each character at most.
        room::check::<[u8; 4]>(text.len(), "a text")?;
        Ok(text)
    }

    #[pyo3(signature = (texts, **params))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<vectors::Given<'py>> {
        vectors::Asking::texts(params)?.of(texts)?.run(py, self.used.get()?)
    }

    #[pyo3(signature = (pairs, **params))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        pairs: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<vectors::Given<'py>> {
        vectors::Asking::pairs(params)?.of(pairs)?.run(py, self.used.get()?)
    }

    /// As `stream`, for an event loop: see `Call`. `others_wait` for room in the queue, and come first; `index` is for
    /// one of a list.
    #[pyo3(signature = (prompt, others_wait, index, /, **params))]
    fn call(
        &self,
        prompt: &Bound<'_, PyAny>,
        others_wait: bool,
        index: Option<usize>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Call> {
        let asking = Asking::prompt(&self.used.info.defaults, index, params)?;
        Call::begin(self.used.clone(), asking, prompt, others_wait, index.is_some())
    }

    /// As `chat_stream`, for an event loop.
    #[pyo3(signature = (messages, others_wait, index, /, **params))]
    fn chat_call(
        &self,
        messages: &Bound<'_, PyAny>,
        others_wait: bool,
        index: Option<usize>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Call> {
        let asking = Asking::chat(&self.used.info.defaults, index, params)?;
        Call::begin(self.used.clone(), asking, messages, others_wait, index.is_some())
    }

    /// As `embed`, for an event loop.
    #[pyo3(signature = (texts, **params))]
    fn embed_call(&self, texts: &Bound<'_, PyAny>, params: Option<&Bound<'_, PyDict>>) -> PyResult<Embedding> {
        vectors::Asking::texts(params)?.begin(texts, &self.used)
    }

    /// As `score`, for an event loop.
    #[pyo3(signature = (pairs, **params))]
    fn score_call(&self, pairs: &Bound<'_, PyAny>, params: Option<&Bound<'_, PyDict>>) -> PyResult<Embedding> {
        vectors::Asking::pairs(params)?.begin(pairs, &self.used)
    }

    #[pyo3(signature = (text, *, add_special=None, parse_special=None, **unknown))]
    fn tokenize<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        add_special: Option<&Bound<'_, PyAny>>,
        parse_special: Option<&Bound<'_, PyAny>>,
        unknown: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        fn tokenizer(llm: &Llm) -> &dyn trillm::Tokenizer {
            llm.model().tokenizer()
        }
        Encode::new(text, add_special, parse_special, unknown)?.run(text.py(), self.used.get()?, tokenizer)
    }

    fn detokenize(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<String> {
        decode(py, self.used.get()?.model().tokenizer(), ids)
    }

    /// What the file says, and what was decided when it was loaded.
    #[getter]
    fn info(&self) -> ModelInfo {
        (&self.used.info).into()
    }

    /// Tokens in the cache: the longest sequence.
    #[getter]
    fn context(&self) -> u32 {
        self.used.get().map_or(self.used.context, |llm| llm.context())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        stats(&dict, &self.used.get()?.stats())?;
        Ok(dict)
    }

    /// Keeps an object for as long as there is the model or a stream of it.
    fn keep(&self, what: Py<PyAny>) {
        self.used.keep(what);
    }

    fn close(&self, py: Python<'_>) {
        self.used.close(py);
    }
}
