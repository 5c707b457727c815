//! Texts in, arrays of numpy out.
//!
//! Arrays are made by calling numpy as Python does: the library that does without a call ends in a panic, which Python
//! sees as no exception of its own, where numpy is missing or too old. `trillm._vectors` has imported it by then.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyString};
use trillm::{CoreError, EmbedOptions, Llm, Pooling, Vectors};

use crate::aside::{Aside, aside, is_long, reading};
use crate::door;
use crate::doorbell::Ticket;
use crate::enter::{SLICE, let_others_after, panicked};
use crate::errors::{invalid, raise, repr};
use crate::heavy::{is_heavy, kept};
use crate::lifetime::Used;
use crate::params::{TEXTS, each, flag, get};
use crate::prompt::{element, is_bytes, one_text, texts as texts_of};
use crate::room;

/// An array, and for each text that was cut its index and how many tokens were left out.
pub(crate) type Given<'py> = (Bound<'py, PyAny>, Vec<(usize, usize)>);

/// Whether to give up is asked once for so many texts that become tokens.
const TEXTS_BETWEEN_LOOKS: usize = 64;

const PAIR: &str = "two texts";

/// What was asked for, read and owned.
pub(crate) struct Asked {
    of: Of,
    options: EmbedOptions,
}

/// Numbers, and how they are to be laid out.
type Made = trillm::Result<(Vectors, Vec<usize>)>;

enum Of {
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// How it is asked for, before that is read.
pub(crate) struct Asking {
    read: fn(&Bound<'_, PyAny>) -> PyResult<Of>,
    options: EmbedOptions,
}

impl Asking {
    /// One vector for each text.
    pub(crate) fn texts(params: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = EmbedOptions { normalize: true, ..EmbedOptions::default() };
        each("EmbedParams", params, |name, value| {
            match name {
                "pooling" => options.pooling = pooling(&one_text(name, value, POOLING)?)?,
                "normalize" => options.normalize = flag(name, value)?,
                _ => return common(&mut options, name, value),
            }
            Ok(true)
        })?;
        Ok(Self { read: |texts| texts_of("texts", texts, TEXTS).map(Of::Texts), options })
    }

    /// One score for each pair of texts, or one for each label of each.
    pub(crate) fn pairs(params: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = EmbedOptions::default();
        each("TextParams", params, |name, value| common(&mut options, name, value))?;
        Ok(Self { read: Of::pairs, options })
    }

    pub(crate) fn of(self, given: &Bound<'_, PyAny>) -> PyResult<Asked> {
        Ok(Asked { of: (self.read)(given)?, options: self.options })
    }

    /// For an event loop.
    pub(crate) fn begin(self, given: &Bound<'_, PyAny>, used: &Arc<Used>) -> PyResult<Embedding> {
        let numpy = door::module(given.py(), "numpy", Ok)?.unbind();
        let read: Box<dyn FnOnce() -> PyResult<Asked> + Send> = if is_heavy(given) {
            let given = kept(given)?;
            Box::new(move || reading(given, |given| self.of(given)))
        } else {
            let asked = self.of(given)?;
            Box::new(move || Ok(asked))
        };
        let made = Aside::begin(Some(&used.embedding), used.get()?, move |llm: &Llm, given_up| {
            if given_up() {
                return Ok(Err(CoreError::Cancelled.into()));
            }
            Ok(read()?.compute(llm, given_up))
        })?;
        Ok(Embedding { numpy, made: Mutex::new(Some((made, used.clone()))) })
    }
}

impl Of {
    fn pairs(pairs: &Bound<'_, PyAny>) -> PyResult<Self> {
        const PAIRS: &str = "a list of pairs of texts";
        if is_bytes(pairs) {
            return Err(invalid("pairs", &repr(pairs), PAIRS));
        }
        let pairs: Vec<Bound<'_, PyAny>> = get("pairs", pairs, PAIRS)?;
        let pair = |(index, pair): (usize, Bound<'_, PyAny>)| {
            let_others_after(pair.py(), index)?;
            let name = element("pairs", index);
            let texts = if pair.is_instance_of::<PyString>() { Vec::new() } else { texts_of(&name, &pair, PAIR)? };
            <[String; 2]>::try_from(texts).map(<(String, String)>::from).map_err(|_| invalid(&name, &repr(&pair), PAIR))
        };
        pairs.into_iter().enumerate().map(pair).collect::<PyResult<_>>().map(Self::Pairs)
    }
}

impl Asked {
    fn compute(&self, llm: &Llm, given_up: &dyn Fn() -> bool) -> Made {
        let go_on = |index: usize| {
            let is_over = index.is_multiple_of(TEXTS_BETWEEN_LOOKS) && index > 0 && given_up();
            if is_over { Err(CoreError::Cancelled) } else { Ok(()) }
        };
        let inputs = match &self.of {
            Of::Texts(texts) => {
                let mut inputs = llm.embedding(&self.options)?;
                for (index, text) in texts.iter().enumerate() {
                    go_on(index)?;
                    inputs.add_text(text)?;
                }
                inputs
            }
            Of::Pairs(pairs) => {
                let mut inputs = llm.scoring(&self.options)?;
                for (index, (one, two)) in pairs.iter().enumerate() {
                    go_on(index)?;
                    inputs.add_pair((one, two))?;
                }
                inputs
            }
        };
        let mut embedding = inputs.start()?;
        let made = loop {
            if let Some(made) = embedding.wait(SLICE) {
                break made?;
            }
            if given_up() {
                return Err(CoreError::Cancelled.into());
            }
        };
        let shape = match &self.of {
            Of::Texts(texts) => vec![texts.len(), made.width],
            Of::Pairs(pairs) if made.width == 1 => vec![pairs.len()],
            Of::Pairs(pairs) => vec![pairs.len(), made.width],
        };
        Ok((made, shape))
    }

    /// Whether one text alone takes a while: between two of them it is asked whether to go on.
    fn is_long(&self) -> bool {
        match &self.of {
            Of::Texts(texts) => texts.iter().any(|text| is_long(text)),
            Of::Pairs(pairs) => pairs.iter().any(|(one, two)| is_long(one) || is_long(two)),
        }
    }

    /// For a caller who waits; signals are seen meanwhile.
    pub(crate) fn run(self, py: Python<'_>, llm: Arc<Llm>) -> PyResult<Given<'_>> {
        let numpy = door::module(py, "numpy", Ok)?;
        let made = aside(py, self.is_long(), llm, move |llm, given_up| self.compute(llm, given_up))?;
        given(&numpy, made.map_err(raise)?)
    }
}

/// What is made, or why what was asked for cannot be read; with the model, which is used for as long.
type Making = (Aside<PyResult<Made>>, Arc<Used>);

/// Vectors or scores that are being made, for an event loop. Dropping it ends that.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Embedding {
    numpy: Py<PyModule>,
    made: Mutex<Option<Making>>,
}

#[pymethods]
impl Embedding {
    /// Whether they are there, and they; if not, the ticket is called when they are.
    fn poll<'py>(&self, py: Python<'py>, ticket: &Ticket) -> PyResult<(bool, Option<Given<'py>>)> {
        let made = {
            let mut aside = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(made) = aside.as_ref().map(|(aside, _)| aside.poll(ticket.waker())) else {
                return Ok((true, None));
            };
            let Some(made) = made else { return Ok((false, None)) };
            *aside = None;
            made
        };
        let made = made.map_err(|panic| panicked(&panic))??.map_err(raise)?;
        given(self.numpy.bind(py), made).map(|given| (true, Some(given)))
    }

    /// Ends it. Harmless when called again.
    fn close(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Parameters that both have.
fn common(options: &mut EmbedOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match name {
        "prompt" => options.prompt = Some(one_text(name, value, "a text")?),
        "prompt_name" => options.prompt_name = Some(one_text(name, value, "the name of a prompt")?),
        "truncate" => options.truncate = flag(name, value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

const POOLING: &str = "auto, mean, cls, last, max, mean_sqrt_len or weightedmean";

fn pooling(name: &str) -> PyResult<Option<Pooling>> {
    match name {
        "auto" => Ok(None),
        name => Pooling::of(name).map(Some).ok_or_else(|| invalid("pooling", name, POOLING)),
    }
}

/// What Python gets: the array, and what was cut.
fn given<'py>(numpy: &Bound<'py, PyModule>, (made, shape): (Vectors, Vec<usize>)) -> PyResult<Given<'py>> {
    let cuts = made.cuts.iter().map(|cut| (cut.text, cut.tokens)).collect();
    let array = array(numpy, &made.numbers, &shape);
    Ok((array.map_err(|error| room::told(numpy.py(), error, "an array of vectors"))?, cuts))
}

fn array<'py>(numpy: &Bound<'py, PyModule>, numbers: &[f32], shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    const TYPE: &str = "float32";
    if numbers.is_empty() {
        return numpy.call_method1("empty", (shape, TYPE));
    }
    let bytes = PyByteArray::new_with(numpy.py(), size_of_val(numbers), |out| {
        for (out, number) in out.as_chunks_mut().0.iter_mut().zip(numbers) {
            *out = number.to_ne_bytes();
        }
        Ok(())
    })?;
    numpy.call_method1("frombuffer", (bytes, TYPE))?.call_method1("reshape", (shape,))
}
