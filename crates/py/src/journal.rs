//! What went wrong lately, to Python, and what any exception of Python is among errors.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyType};
use trillm::Class;
use trillm::runtime::journal::{Context, Entry, Journal as Inner, Kind, Recovery, Timestamp};

use crate::errors::named;

/// The code of exceptions that are not ours.
const FOREIGN: &str = "foreign";

/// The last errors, and counts of all. Its lock is taken with the interpreter lock held, and so is free in a forked child.
#[pyclass(frozen, module = "trillm._core")]
#[derive(Default)]
pub(crate) struct Journal(Inner);

#[pymethods]
impl Journal {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes an exception down, with what it was about.
    fn record(&self, error: &Bound<'_, PyAny>, context: &Bound<'_, PyMapping>) -> PyResult<()> {
        let context = context.items()?.iter().map(|item| {
            let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
            Ok((name, text(&value)))
        });
        let context = context.collect::<PyResult<Context>>()?;
        let sort = Sort::of(error);
        let attribute = |name| error.getattr(name).ok()?.extract::<String>().ok();
        let (code, message, hint) = match sort.foreign {
            None => (attribute("code").unwrap_or_default(), text(error), attribute("hint")),
            Some(code) => (code.to_owned(), format!("{}: {}", class_name(error), text(error)), None),
        };
        let (kind, recovery, time) = (sort.kind, sort.recovery, Timestamp::now());
        self.0.record(Entry { kind, recovery, code, message, hint, context, time });
        Ok(())
    }

    /// The last errors as dictionaries; the newest comes last.
    fn recent<'py>(&self, py: Python<'py>, count: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let entries = self.0.recent(count);
        let dict = |entry: &Entry| {
            let dict = PyDict::new(py);
            dict.set_item("kind", entry.kind.name())?;
            dict.set_item("code", &entry.code)?;
            dict.set_item("message", &entry.message)?;
            dict.set_item("hint", entry.hint.as_deref())?;
            dict.set_item("context", &entry.context)?;
            dict.set_item("time", entry.time.to_string())?;
            dict.set_item("suggestion", entry.kind.suggestion())?;
            dict.set_item("recovery", entry.recovery.map(Recovery::name))?;
            Ok(dict)
        };
        entries.iter().map(|entry| dict(entry)).collect()
    }

    /// How many there were, by kind and by code.
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        let counts = self.0.counts();
        let (kinds, codes) = (PyDict::new(py), PyDict::new(py));
        counts.kinds.iter().try_for_each(|(kind, count)| kinds.set_item(kind.name(), count))?;
        counts.codes.iter().try_for_each(|(code, count)| codes.set_item(code, count))?;
        Ok((kinds, codes))
    }

    /// Kind, suggestion and recovery for an exception.
    #[staticmethod]
    fn classify(error: &Bound<'_, PyAny>) -> (&'static str, &'static str, Option<&'static str>) {
        let sort = Sort::of(error);
        (sort.kind.name(), sort.kind.suggestion(), sort.recovery.map(Recovery::name))
    }
}

/// What an exception is among errors.
struct Sort {
    kind: Kind,
    recovery: Option<Recovery>,
    /// The code of one that is not ours.
    foreign: Option<&'static str>,
}

impl Sort {
    /// By the first of its classes that is one of `trillm.errors`, or by Python's own `MemoryError`.
    fn of(error: &Bound<'_, PyAny>) -> Self {
        let by = |class, foreign| Self { kind: Kind::of(class), recovery: Recovery::of(class), foreign };
        if let Some(name) = error.get_type().mro().iter().find_map(|class| of_ours(&class)) {
            return match (named(&name), name.as_str()) {
                (Some(class), _) => by(class, None),
                // A download has been tried again and again by then.
                (None, "DownloadError") => Self { kind: Kind::ModelLoad, recovery: None, foreign: None },
                (None, _) => Self { kind: Kind::Unknown, recovery: None, foreign: None },
            };
        }
        if error.is_instance_of::<PyMemoryError>() {
            return by(Class::OutOfMemory, Some("out_of_memory"));
        }
        Self { kind: Kind::Unknown, recovery: None, foreign: Some(FOREIGN) }
    }
}

/// The name of a class of `trillm.errors`.
fn of_ours(class: &Bound<'_, PyAny>) -> Option<String> {
    let class = class.cast::<PyType>().ok()?;
    let is_ours = class.module().is_ok_and(|module| module == "trillm.errors");
    if is_ours { Some(class.name().ok()?.to_string()) } else { None }
}

fn class_name(error: &Bound<'_, PyAny>) -> String {
    error.get_type().name().map_or_else(|_| "Exception".into(), |name| name.to_string())
}

/// A value as text: whatever Python says of it, and something where it fails to.
fn text(value: &Bound<'_, PyAny>) -> String {
    value.str().map_or_else(|_| "(cannot be shown)".into(), |text| text.to_string_lossy().into_owned())
}
