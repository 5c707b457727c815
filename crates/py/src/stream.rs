//! A running request as a Python iterator.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::task::Poll;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use trillm::Generation;

use crate::completion::{Completion, Piece};
use crate::doorbell::Doorbell;
use crate::enter::{self, SLICE};
use crate::errors::raise;
use crate::lifetime::check_process;

/// Pieces of a running request. Closing or dropping it cancels the request.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Stream {
    state: Mutex<State>,
    process: u32,
}

enum State {
    Running(Generation),
    /// Read to its end.
    Finished(trillm::Completion),
    /// Ended early: closed, or failed with an error that was raised.
    Ended,
}

impl State {
    /// The next piece if one is ready; `None` after the last.
    fn advance(&mut self) -> trillm::Result<Poll<Option<trillm::Piece>>> {
        let Self::Running(generation) = self else { return Ok(Poll::Ready(None)) };
        if let Some(piece) = generation.try_next() {
            return Ok(Poll::Ready(Some(piece)));
        }
        if !generation.is_done() {
            return Ok(Poll::Pending);
        }
        let completion = generation.completion();
        *self = Self::Ended;
        *self = Self::Finished(completion?);
        Ok(Poll::Ready(None))
    }

    /// Whether `advance` would give something within a slice of time.
    fn wait(&self) -> bool {
        if let Self::Running(generation) = self { generation.wait(SLICE) } else { true }
    }
}

impl Stream {
    pub(crate) fn new(generation: Generation) -> Self {
        Self { state: Mutex::new(State::Running(generation)), process: std::process::id() }
    }

    fn state(&self) -> PyResult<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err("another thread is reading this stream")),
        }
    }

    /// Reads to the end; what the request came to.
    pub(crate) fn finish(py: Python<'_>, mut generation: Generation) -> PyResult<trillm::Completion> {
        generation.stream().read_lazily();
        enter::wait(py, || {
            generation.wait(SLICE);
            while generation.try_next().is_some() {}
            generation.is_done()
        })?;
        generation.completion().map_err(raise)
    }
}

#[pymethods]
impl Stream {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Piece>> {
        // `list(stream)` runs no Python code between two pieces, so nobody else would see Ctrl-C.
        py.check_signals()?;
        let mut state = self.state()?;
        loop {
            // A piece that is ready is taken without letting go of the interpreter lock: no system call, no switch.
            if let Poll::Ready(next) = state.advance().map_err(raise)? {
                return Ok(next.map(Piece));
            }
            check_process(self.process)?;
            let waiting = &*state;
            if let Err(interrupted) = enter::wait(py, || waiting.wait()) {
                *state = State::Ended;
                return Err(interrupted);
            }
        }
    }

    /// Whether there is something now, and the piece, which is `None` after the last. If there is not, the doorbell
    /// rings when there is.
    fn poll(&self, doorbell: &Doorbell) -> PyResult<(bool, Option<Piece>)> {
        check_process(self.process)?;
        let mut state = self.state()?;
        loop {
            if let Poll::Ready(next) = state.advance().map_err(raise)? {
                return Ok((true, next.map(Piece)));
            }
            if let State::Running(generation) = &*state
                && !generation.stream().poll_ready(&doorbell.waker())
            {
                return Ok((false, None));
            }
        }
    }

    /// Asks to be woken rarely: for a reader that wants the whole text.
    fn read_lazily(&self) -> PyResult<()> {
        if let State::Running(generation) = &*self.state()? {
            generation.stream().read_lazily();
        }
        Ok(())
    }

    /// The whole of it, once the stream has ended; `None` before, and if it was cancelled.
    #[getter]
    fn completion(&self) -> PyResult<Option<Completion>> {
        Ok(if let State::Finished(completion) = &*self.state()? { Some(Completion(completion.clone())) } else { None })
    }

    /// Cancels the request if it still runs. Harmless when called again.
    fn close(&self) -> PyResult<()> {
        let mut state = self.state()?;
        if matches!(&*state, State::Running(_)) {
            *state = State::Ended;
        }
        Ok(())
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close()
    }
}
