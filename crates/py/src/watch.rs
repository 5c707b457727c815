//! Work that takes long, followed from Python: Ctrl-C ends it, and so may the caller's callback.

use std::sync::{Mutex, PoisonError};

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

use crate::door::inside;

/// Follows a load or a conversion.
pub(crate) struct Watch {
    callback: Option<Py<PyAny>>,
    /// What ended the work.
    raised: Mutex<Option<PyErr>>,
}

impl Watch {
    /// Without a callback only signals count.
    pub(crate) fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { callback, raised: Mutex::new(None) }
    }

    /// Goes on unless a signal handler or the callback raises, or the callback returns `False`.
    pub(crate) fn goes_on(&self, progress: impl for<'py> PyCallArgs<'py>) -> bool {
        let answer = inside(|py| {
            py.check_signals()?;
            let Some(callback) = &self.callback else { return Ok(true) };
            Ok(callback.call1(py, progress)?.extract(py).unwrap_or(true))
        });
        answer.unwrap_or_else(|error| {
            self.ended_by(error);
            false
        })
    }

    /// What ends the work, of Python's code that it called.
    pub(crate) fn ended_by(&self, error: PyErr) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What was raised, to be raised again where the work was called from.
    pub(crate) fn raised(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
