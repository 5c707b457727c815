//! A running request as a Python iterator.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use trillm::{Canceller, Coded, Generation};

use crate::completion::{Completion, Piece};
use crate::door;
use crate::doorbell::Ticket;
use crate::enter::{self, SLICE};
use crate::lifetime::{Used, check_process};
use crate::place::Place;

/// Pieces of a running request. Closing or dropping it cancels the request.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Stream {
    /// Held by whoever reads, also while waiting for a piece.
    state: Mutex<State>,
    /// Works whoever reads.
    canceller: Canceller,
    /// It was closed before its end.
    closed: AtomicBool,
    /// Who is told of an error that ends it.
    told: OnceLock<Py<PyAny>>,
    place: Place,
    process: u32,
}

enum State {
    Running {
        generation: Generation,
        /// Must not end before.
        _model: Arc<Used>,
    },
    /// Read to its end.
    Finished(trillm::Completion),
    /// Ended early: closed, or failed with an error that was raised.
    Ended,
}

/// How long somebody sleeps before looking again whether others are done: with reading, or with the queue.
pub(crate) const TURN: Duration = Duration::from_millis(1);

impl State {
    /// The next piece if one is ready; `None` after the last.
    fn advance(&mut self) -> trillm::Result<Poll<Option<trillm::Piece>>> {
        let Self::Running { generation, .. } = self else { return Ok(Poll::Ready(None)) };
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
        if let Self::Running { generation, .. } = self { generation.wait(SLICE) } else { true }
    }
}

impl Stream {
    pub(crate) fn new(generation: Generation, model: Arc<Used>, place: Place) -> Self {
        Self {
            canceller: generation.stream().canceller(),
            state: Mutex::new(State::Running { generation, _model: model }),
            closed: AtomicBool::new(false),
            told: OnceLock::new(),
            place,
            process: std::process::id(),
        }
    }

    /// The state, unless another thread is reading.
    fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The state, when no other thread is reading any more.
    fn state(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, State>> {
        loop {
            if let Some(state) = self.try_state() {
                return Ok(state);
            }
            enter::wait(py, || {
                thread::sleep(TURN);
                true
            })?;
        }
    }

    /// As [`State::advance`]. A stream that was closed ends without an error.
    fn advance(&self, state: &mut State) -> PyResult<Poll<Option<Piece>>> {
        match state.advance() {
            Ok(next) => Ok(next.map(|piece| piece.map(Piece))),
            Err(error) if error.code() == "cancelled" && self.closed.load(SeqCst) => Ok(Poll::Ready(None)),
            Err(error) => Err(self.place.raise(error)),
        }
    }

    /// Tells whoever wants to know of an error that ends it, which is for the reader. The state is free then.
    fn tell(&self, py: Python<'_>, state: MutexGuard<'_, State>, error: PyErr) -> PyErr {
        drop(state);
        if let Some(told) = self.told.get()
            && let Err(other) = door::call(py, || told.call1(py, (error.value(py),)))
        {
            other.write_unraisable(py, None);
        }
        error
    }

    /// Reads to the end; what the request came to.
    pub(crate) fn finish(py: Python<'_>, (mut generation, place): (Generation, Place)) -> PyResult<trillm::Completion> {
        generation.stream().read_lazily();
        enter::wait(py, || {
            generation.wait(SLICE);
            while generation.try_next().is_some() {}
            generation.is_done()
        })?;
        generation.completion().map_err(|error| place.raise(error))
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
        check_process(self.process)?;
        let mut state = self.state(py)?;
        loop {
            // A piece that is ready is taken without letting go of the interpreter lock: no system call, no switch.
            match self.advance(&mut state) {
                Ok(Poll::Ready(next)) => return Ok(next),
                Ok(Poll::Pending) => {}
                Err(error) => return Err(self.tell(py, state, error)),
            }
            let waiting = &*state;
            if let Err(interrupted) = enter::wait(py, || waiting.wait()) {
                *state = State::Ended;
                return Err(interrupted);
            }
        }
    }

    /// Whether there is something now, and the piece, which is `None` after the last. If there is not, the ticket is
    /// called when there is.
    fn poll(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<(bool, Option<Piece>)> {
        check_process(self.process)?;
        let mut state = self.state(py)?;
        loop {
            match self.advance(&mut state) {
                Ok(Poll::Ready(next)) => return Ok((true, next)),
                Ok(Poll::Pending) => {}
                Err(error) => return Err(self.tell(py, state, error)),
            }
            if let State::Running { generation, .. } = &*state
                && !generation.stream().poll_ready(&ticket.waker())
            {
                return Ok((false, None));
            }
        }
    }

    /// Asks to be woken rarely: for a reader that wants the whole text.
    fn read_lazily(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Running { generation, .. } = &*self.state(py)? {
            generation.stream().read_lazily();
        }
        Ok(())
    }

    /// Has a function told of the error that ends it, if one does, beside the reader. The first that is given counts.
    fn on_error(&self, told: Py<PyAny>) {
        let _ = self.told.set(told);
    }

    /// The whole of it, once the stream has ended; `None` before, and if it was cancelled.
    #[getter]
    fn completion(&self) -> Option<Completion> {
        match self.try_state().as_deref() {
            Some(State::Finished(completion)) => Some(completion.clone().into()),
            // Or another thread is reading: it has not ended.
            _ => None,
        }
    }

    /// Cancels the request if it still runs, from whatever thread; a thread that is reading comes to the end soon.
    /// Harmless when called again.
    pub(crate) fn close(&self) {
        if self.process != std::process::id() {
            return;
        }
        self.closed.store(true, SeqCst);
        self.canceller.cancel();
        if let Some(mut state) = self.try_state()
            && matches!(&*state, State::Running { .. })
        {
            *state = State::Ended;
        }
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyAny>) {
        self.close();
    }
}
