//! Texts in, arrays of numpy out.
//!
//! Arrays are made by calling numpy as Python does: the library that does without a call ends in a panic, which Python
//! sees as no exception of its own, where numpy is missing or too old.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyString};
use trillm::{EmbedOptions, Llm, Pooling, Vectors};

use crate::enter::{inside, outside};
use crate::errors::{exception, invalid, raise};
use crate::params::{each, get};
use crate::prompt::text;

/// An array, and for each text that was cut its index and how many tokens were left out.
pub(crate) type Given<'py> = (Bound<'py, PyAny>, Vec<(usize, usize)>);

const FLAG: &str = "True or False";

/// One vector for each text.
pub(crate) fn embed<'py>(
    py: Python<'py>,
    llm: &Llm,
    texts: &Bound<'py, PyAny>,
    params: Option<&Bound<'py, PyDict>>,
) -> PyResult<Given<'py>> {
    let numpy = numpy(py)?;
    let texts: Vec<String> = match texts.cast::<PyString>() {
        Ok(one) => vec![text("texts", one)?],
        Err(_) => texts.extract().map_err(|_| invalid("texts", "something else", "a text or a list of texts"))?,
    };
    let mut options = EmbedOptions { normalize: true, ..EmbedOptions::default() };
    each("EmbedParams", params, |name, value| {
        match name {
            "pooling" => options.pooling = pooling(&get::<String>(name, value, POOLING)?)?,
            "normalize" => options.normalize = get(name, value, FLAG)?,
            _ => return common(&mut options, name, value),
        }
        Ok(true)
    })?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let made = run(py, |interrupted| llm.embed(&texts, &options, interrupted))?;
    let shape = [texts.len(), made.width];
    Ok((array(&numpy, &made.numbers, &shape)?, cuts(&made)))
}

/// One score for each pair of texts, or one for each label of each.
pub(crate) fn score<'py>(
    py: Python<'py>,
    llm: &Llm,
    pairs: &Bound<'py, PyAny>,
    params: Option<&Bound<'py, PyDict>>,
) -> PyResult<Given<'py>> {
    let numpy = numpy(py)?;
    let refused = || invalid("pairs", "something else", "a list of pairs of texts");
    let pairs: Vec<Vec<String>> = pairs.extract().map_err(|_| refused())?;
    let pair = |pair: &'_ Vec<String>| match &pair[..] {
        [first, second] => Ok((first.clone(), second.clone())),
        _ => Err(refused()),
    };
    let pairs: Vec<(String, String)> = pairs.iter().map(pair).collect::<PyResult<_>>()?;
    let mut options = EmbedOptions::default();
    each("TextParams", params, |name, value| common(&mut options, name, value))?;
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(first, second)| (first.as_str(), second.as_str())).collect();
    let made = run(py, |interrupted| llm.score(&pairs, &options, interrupted))?;
    let shape = [pairs.len(), made.width];
    let shape = if made.width == 1 { &shape[..1] } else { &shape[..] };
    Ok((array(&numpy, &made.numbers, shape)?, cuts(&made)))
}

/// Parameters that both have.
fn common(options: &mut EmbedOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match name {
        "prompt" => options.prompt = Some(get(name, value, "a text")?),
        "prompt_name" => options.prompt_name = Some(get(name, value, "the name of a prompt")?),
        "truncate" => options.truncate = get(name, value, FLAG)?,
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

/// Computes without the interpreter lock; signals are seen meanwhile.
fn run(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut() -> bool) -> trillm::Result<Vectors> + Send,
) -> PyResult<Vectors> {
    let mut interrupted: PyResult<()> = Ok(());
    let made = outside(py, || {
        work(&mut || {
            interrupted = inside(|py| {
                py.check_signals()?;
                Ok(())
            });
            interrupted.is_err()
        })
    });
    interrupted?;
    made?.map_err(raise)
}

fn cuts(made: &Vectors) -> Vec<(usize, usize)> {
    made.cuts.iter().map(|cut| (cut.text, cut.tokens)).collect()
}

/// numpy, or the error that it is not there.
fn numpy(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("numpy").map_err(|error| {
        let message = format!("vectors are arrays of numpy, which cannot be imported: {}", error.value(py));
        exception("missing_dependency", &message, Some("install it: pip install numpy".into()))
    })
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
