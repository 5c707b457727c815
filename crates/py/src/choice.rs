//! Which engine runs a model and why, and what was measured for that.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm::{Choice, Measured, OpenOptions, Speed, Wanted, choose};

use crate::enter::{enter, outside};
use crate::params::open_options;

/// An engine's name, its tokens a second, and the code of its error.
type Row = (String, Option<f64>, Option<String>);

/// Which engine would run the model at `path` with these parameters, by which of its files, and why; `preferred` is taken
/// where there are several.
#[pyfunction]
#[pyo3(signature = (path, preferred=None, **params))]
pub(crate) fn explain<'py>(
    py: Python<'py>,
    path: PathBuf,
    preferred: Option<String>,
    params: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (options, _) = open_options(params)?;
    let (choice, measured, note) = enter(py, || {
        let choice = choose(&path, Wanted { preferred: preferred.as_deref(), ..options.wanted() })?;
        let (measured, note) = options.speeds.as_ref().map(|speeds| speeds.of(&path)).unwrap_or_default();
        Ok::<_, trillm::Error>((choice, measured, note))
    })?;
    let dict = PyDict::new(py);
    let Choice { engine, file, by, reason, .. } = choice;
    dict.set_item("engine", engine.name())?;
    dict.set_item("format", file.info.format)?;
    dict.set_item("file", file.info.path)?;
    dict.set_item("trained", file.info.context_trained)?;
    dict.set_item("by", by.name())?;
    dict.set_item("reason", reason)?;
    let rows = PyList::empty(py);
    for Measured { how, time, speeds, .. } in &measured {
        for Speed { engine, tokens_per_second, error } in speeds {
            let row = PyDict::new(py);
            row.set_item("engine", engine)?;
            row.set_item("tokens_per_second", tokens_per_second)?;
            row.set_item("error", error)?;
            row.set_item("how", how)?;
            row.set_item("time", time)?;
            rows.append(row)?;
        }
    }
    dict.set_item("measured", rows)?;
    dict.set_item("notes", note.into_iter().collect::<Vec<_>>())?;
    Ok(dict)
}

/// Keeps what was measured of the model at `path` with these parameters; says why it could not be written. What was
/// measured with parameters that not every engine takes is no reason to choose one, and not kept.
#[pyfunction]
#[pyo3(signature = (path, how, rows, **params))]
pub(crate) fn keep_speeds(
    py: Python<'_>,
    path: PathBuf,
    how: &str,
    rows: Vec<Row>,
    params: Option<&Bound<'_, PyDict>>,
) -> PyResult<Option<String>> {
    let (OpenOptions { load, session, speeds, .. }, _) = open_options(params)?;
    let Some(speeds) = speeds.filter(|_| load.suits_all() && session.suits_all()) else { return Ok(None) };
    let rows = rows.into_iter().map(|(engine, tokens_per_second, error)| Speed { engine, tokens_per_second, error });
    let rows: Vec<_> = rows.collect();
    let kept = outside(py, || speeds.keep(&path, how, rows))?;
    Ok(kept.err().map(|error| error.to_string()))
}
