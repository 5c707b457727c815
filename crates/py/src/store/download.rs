//! Files on their way into the store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{exceptions::PyValueError, prelude::*, types::PyAny};
use trillm_store as store;

use crate::enter::{enter, outside};

/// A file that nobody sees before it is committed. A context manager: leaving it throws away what was not.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Staging(Mutex<Option<store::Staging>>);

impl Staging {
    pub(super) fn new(staging: store::Staging) -> Self {
        Self(Mutex::new(Some(staging)))
    }
}

#[pymethods]
impl Staging {
    /// Appends to the file.
    fn write(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let write = || held(&self.0).as_mut().map(|staging| staging.write(data)).transpose();
        enter(py, write)?.ok_or_else(used)
    }

    /// Makes the file a blob if it is what was expected; returns its sha256 and size.
    #[pyo3(signature = (*, sha256=None, git=None))]
    fn commit(&self, py: Python<'_>, sha256: Option<&str>, git: Option<&str>) -> PyResult<(String, u64)> {
        let taken = outside(py, || held(&self.0).take())?;
        let staging = taken.ok_or_else(used)?;
        let blob = enter(py, || staging.commit(expected(sha256, git)?))?;
        Ok((blob.sha256.to_string(), blob.size))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyAny>) -> PyResult<()> {
        outside(py, || drop(held(&self.0).take()))
    }
}

/// A file of known size on its way into the store, written by several threads at once.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Partial(store::Partial);

impl From<store::Partial> for Partial {
    fn from(partial: store::Partial) -> Self {
        Self(partial)
    }
}

#[pymethods]
impl Partial {
    /// The size of the whole file, in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// The ranges that are not there, as (first, end), in order.
    fn missing(&self) -> Vec<(u64, u64)> {
        self.0.missing().into_iter().map(|range| (range.start, range.end)).collect()
    }

    /// Begins to write where a missing range, or a chunk in one, begins.
    fn writer(&self, py: Python<'_>, at: u64) -> PyResult<SpanWriter> {
        enter(py, || self.0.writer(at)).map(|writer| SpanWriter(Mutex::new(writer)))
    }

    /// Makes the file a blob, if all of it is there and is what was expected; returns its sha256 and size.
    fn commit(&self, py: Python<'_>) -> PyResult<(String, u64)> {
        enter(py, || self.0.commit()).map(|blob| (blob.sha256.to_string(), blob.size))
    }

    /// Throws away what is there. Without it, a later attempt goes on from here.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        outside(py, || self.0.discard())
    }
}

/// One connection's place in a [`Partial`].
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct SpanWriter(Mutex<store::SpanWriter>);

#[pymethods]
impl SpanWriter {
    /// Where the next byte goes.
    #[getter]
    fn position(&self) -> u64 {
        held(&self.0).position()
    }

    /// Writes onwards.
    fn write(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        enter(py, || held(&self.0).write(data))
    }
}

/// Held while this process fetches a model. A context manager.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Claim(Mutex<Option<store::Claim>>);

impl From<store::Claim> for Claim {
    fn from(claim: store::Claim) -> Self {
        Self(Mutex::new(Some(claim)))
    }
}

#[pymethods]
impl Claim {
    /// Says that this process is still at it; to be called every few seconds.
    fn keep(&self) {
        if let Some(claim) = held(&self.0).as_ref() {
            claim.keep();
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyAny>) {
        drop(held(&self.0).take());
    }
}

/// Keeps blobs from being collected. A context manager.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Lease(Mutex<Option<store::Lease>>);

impl From<store::Lease> for Lease {
    fn from(lease: store::Lease) -> Self {
        Self(Mutex::new(Some(lease)))
    }
}

#[pymethods]
impl Lease {
    /// Lets go.
    fn release(&self) {
        drop(held(&self.0).take());
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyAny>) {
        self.release();
    }
}

/// A panic elsewhere does not make the file handle inside any worse.
fn held<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn used() -> PyErr {
    PyValueError::new_err("this file was committed or thrown away already")
}

/// The digests that content must have, as far as they are known.
pub(super) fn expected(sha256: Option<&str>, git: Option<&str>) -> store::Result<store::Expected> {
    Ok(store::Expected { sha256: sha256.map(str::parse).transpose()?, git: git.map(str::parse).transpose()? })
}
