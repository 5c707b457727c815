//! What Python downloads, as the store asks for it.
//!
//! A download takes minutes, and a thread that asks for the interpreter lock at exit is ended by unwinding, with our own
//! code around it. So Python's part runs on threads of its own, and is only looked at from here.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use pyo3::prelude::*;
use trillm_store::{Digest, Error, Fetch, Phase, Pinned, Progress, Store, Watch};

use crate::door;
use crate::enter::SLICE;
use crate::errors::raise;
use crate::watch::Watch as Callback;

/// Gets on board of a download, which others of this process may wait for, too: an object of `hub/_flight.py`.
pub(crate) struct Hub(pub(crate) Py<PyAny>);

/// An error as Python raises it.
pub(crate) struct Raised(pub(crate) PyErr);

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Self(raise(error))
    }
}

/// Calls Python for a moment.
fn briefly<T>(work: impl FnOnce(Python<'_>) -> PyResult<T>) -> PyResult<T> {
    door::inside(|py| door::call(py, || work(py)))
}

impl Fetch for Hub {
    type Error = Raised;

    fn fetch(&self, _: &Store, _: &Pinned, watch: &Arc<Watch>) -> Result<Digest, Raised> {
        let seat = briefly(|py| self.0.call1(py, (Report(watch.clone()),)))?;
        let came = loop {
            let look = briefly(|py| {
                py.check_signals()?;
                let is_over = seat.call_method0(py, "look")?.extract(py)?;
                if is_over { seat.call_method0(py, "result")?.extract::<String>(py).map(Some) } else { Ok(None) }
            });
            match look {
                Ok(Some(id)) => break id.parse::<Digest>().map_err(Raised::from),
                Ok(None) => thread::sleep(SLICE),
                Err(error) => break Err(error.into()),
            }
        };
        // The last that leaves ends the download, which then puts its files away.
        let mut leaving = briefly(|py| seat.call_method0(py, "leave")?.extract::<bool>(py))?;
        while leaving {
            thread::sleep(SLICE);
            leaving = briefly(|py| seat.call_method0(py, "is_leaving")?.extract::<bool>(py))?;
        }
        came
    }
}

/// Hands on what a download says of itself.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Report(pub(crate) Arc<Watch>);

#[pymethods]
impl Report {
    /// Whether to go on.
    fn __call__(&self, py: Python<'_>, progress: &Bound<'_, PyAny>) -> PyResult<bool> {
        let get = |name: &str| progress.getattr(name);
        let phase: String = get("phase")?.extract()?;
        let phase = PHASES.iter().find(|(name, _)| *name == phase).map_or(Phase::Downloading, |(_, phase)| *phase);
        let (file, transferred) = (get("file")?.extract()?, get("transferred")?.extract()?);
        let (total, speed) = (get("total")?.extract()?, get("speed")?.extract()?);
        let progress = Progress { phase, file, transferred, total, speed };
        let watch = &self.0;
        Ok(door::out(py, || watch(&progress)).is_ok_and(|answer| answer.is_continue()))
    }
}

/// Follows a download for a caller in Python.
pub(crate) fn watched(callback: Arc<Callback>) -> Arc<Watch> {
    Arc::new(move |progress| {
        let name = |phase| PHASES.iter().find(|(_, other)| *other == phase).map_or("", |(name, _)| *name);
        let made = door::inside(|py| {
            let Progress { phase, file, transferred, total, speed } = progress;
            let values = (name(*phase), file, transferred, total, speed);
            door::module(py, "trillm.hub._progress", |module| Ok(module.getattr("Progress")?.call1(values)?.unbind()))
        });
        match made.map(|progress| callback.goes_on((progress,))) {
            Ok(true) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })
}

/// What Python calls them.
const PHASES: [(&str, Phase); 4] = [
    ("waiting", Phase::Waiting),
    ("downloading", Phase::Downloading),
    ("verifying", Phase::Verifying),
    ("unpacking", Phase::Unpacking),
];
