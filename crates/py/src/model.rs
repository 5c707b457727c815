//! A loaded model.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use trillm::{Generation, Llm, Prompt};

use crate::completion::Completion;
use crate::enter::{enter, outside};
use crate::errors::{exception, raise};
use crate::info::ModelInfo;
use crate::lifetime::Owned;
use crate::params::{Chat, Generate, messages, open_options};
use crate::prompt::{self, Given, is_batch};
use crate::stream::Stream;
use crate::tokenizer::{decode, encode};
use crate::vectors;
use crate::watch::Watch;

/// A loaded model.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Model {
    owned: Arc<Owned>,
    info: trillm::ModelInfo,
    context: u32,
}

impl Model {
    pub(crate) fn of(llm: Llm) -> Self {
        let (info, context) = (llm.info().clone(), llm.context());
        Self { owned: Arc::new(Owned::new(llm)), info, context }
    }

    /// The inner error is the model's answer to a request that could be read.
    fn try_start(
        &self,
        py: Python<'_>,
        prompt: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<trillm::Result<Generation>> {
        let llm = self.owned.get()?;
        let (given, params) = (Given::new(prompt)?, Generate::new(&self.info.defaults, params)?);
        let Generate { request, add_special, parse_special } = params;
        outside(py, move || llm.generate(given.prompt(add_special, parse_special), request))
    }

    fn start(
        &self,
        py: Python<'_>,
        prompt: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Generation> {
        self.try_start(py, prompt, params)?.map_err(raise)
    }

    fn start_chat(
        &self,
        py: Python<'_>,
        list: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Generation> {
        let llm = self.owned.get()?;
        let (messages, chat) = (messages(list)?, Chat::new(&self.info.defaults, params)?);
        enter(py, move || {
            let Chat { generate, options, template } = chat;
            let prompt = Prompt::Chat { messages: &messages, options: &options, template: template.as_deref() };
            llm.generate(prompt, generate.request)
        })
    }
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
        outside(py, move || Llm::open(&path, options))?.map(Self::of).map_err(|error| match (watch.raised(), error) {
            (Some(raised), _) => raised,
            (None, trillm::Error::Core(trillm::CoreError::Cancelled)) => {
                exception("load_cancelled", "loading was cancelled by the progress callback", None)
            }
            (None, error) => raise(error),
        })
    }

    #[pyo3(signature = (prompt, **params))]
    fn generate<'py>(
        &self,
        py: Python<'py>,
        prompt: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !is_batch(prompt) {
            let completion = Stream::finish(py, self.start(py, prompt, params)?)?;
            return Ok(Bound::new(py, Completion(completion))?.into_any());
        }
        // As many are queued as the queue takes before any is waited for, so that they run together.
        let mut running = VecDeque::new();
        let finished = PyList::empty(py);
        for each in prompt.try_iter()? {
            let each = each?;
            loop {
                match self.try_start(py, &each, params)? {
                    Ok(generation) => break running.push_back(generation),
                    Err(error) => match (running.pop_front(), &error) {
                        (Some(oldest), trillm::Error::Core(trillm::CoreError::Overloaded { .. })) => {
                            finished.append(Completion(Stream::finish(py, oldest)?))?;
                        }
                        _ => return Err(raise(error)),
                    },
                }
            }
        }
        for generation in running {
            finished.append(Completion(Stream::finish(py, generation)?))?;
        }
        Ok(finished.into_any())
    }

    #[pyo3(signature = (prompt, **params))]
    fn stream(
        &self,
        py: Python<'_>,
        prompt: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        Ok(Stream::new(self.start(py, prompt, params)?, self.owned.clone()))
    }

    #[pyo3(signature = (messages, **params))]
    fn chat(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Completion> {
        Stream::finish(py, self.start_chat(py, messages, params)?).map(Completion)
    }

    #[pyo3(signature = (messages, **params))]
    fn chat_stream(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Stream> {
        Ok(Stream::new(self.start_chat(py, messages, params)?, self.owned.clone()))
    }

    #[pyo3(signature = (messages, **params))]
    fn render_chat(
        &self,
        py: Python<'_>,
        messages: &Bound<'_, PyAny>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<String> {
        let llm = self.owned.get()?;
        let (messages, chat) = (crate::params::messages(messages)?, Chat::new(&self.info.defaults, params)?);
        enter(py, move || llm.render_chat(&messages, &chat.options, chat.template.as_deref()))
    }

    #[pyo3(signature = (texts, **params))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<vectors::Given<'py>> {
        vectors::embed(py, &*self.owned.get()?, texts, params)
    }

    #[pyo3(signature = (pairs, **params))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        pairs: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<vectors::Given<'py>> {
        vectors::score(py, &*self.owned.get()?, pairs, params)
    }

    #[pyo3(signature = (text, *, add_special=true, parse_special=false))]
    fn tokenize(
        &self,
        py: Python<'_>,
        text: &Bound<'_, PyString>,
        add_special: bool,
        parse_special: bool,
    ) -> PyResult<Vec<u32>> {
        let text = prompt::text("text", text)?;
        encode(py, self.owned.get()?.model().tokenizer(), &text, add_special, parse_special)
    }

    fn detokenize(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<String> {
        decode(py, self.owned.get()?.model().tokenizer(), ids)
    }

    /// What the file says, and what was decided when it was loaded.
    #[getter]
    fn info(&self) -> ModelInfo {
        (&self.info).into()
    }

    /// Tokens in the cache: the longest sequence.
    #[getter]
    fn context(&self) -> u32 {
        self.context
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.owned.get()?.stats().all() {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    /// Keeps an object for as long as there is the model or a stream of it.
    fn keep(&self, what: Py<PyAny>) {
        self.owned.keep(what);
    }

    fn close(&self, py: Python<'_>) {
        self.owned.close(py);
    }
}
