//! A model on its way, for an event loop.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use trillm::runtime::{GoesOn, Pool};

use super::shelf::{Failure, Shelf, used};
use crate::aside::Aside;
use crate::doorbell::Ticket;
use crate::enter::panicked;
use crate::lifetime::Used;
use crate::model::Model;

/// A model that comes, on a thread beside the loop's. Dropping it gives up on it.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Leasing {
    state: Mutex<State>,
    given_up: Arc<AtomicBool>,
}

/// What all tasks that wait for it get.
type Came = Result<Arc<Used>, Failure>;

enum State {
    Coming(Aside<Came>),
    Came(Came),
    /// Closed.
    Over,
}

impl Leasing {
    pub(super) fn begin(pool: Arc<Pool<Shelf>>, name: String) -> PyResult<Self> {
        let given_up = Arc::new(AtomicBool::new(false));
        let goes_on: GoesOn = {
            let given_up = given_up.clone();
            Arc::new(move || !given_up.load(Relaxed))
        };
        let coming = Aside::begin(None, pool, move |pool: &Pool<Shelf>, _| {
            pool.lease_aside(&name, &goes_on).map(|lease| used(lease, None))
        })?;
        Ok(Self { state: Mutex::new(State::Coming(coming)), given_up })
    }
}

#[pymethods]
impl Leasing {
    /// Whether it is here, and it, which stays as long as somebody has this or that; if not, the ticket is called when it
    /// is.
    fn poll(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<(bool, Option<Model>)> {
        let came = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let State::Coming(coming) = &*state {
                let Some(came) = coming.poll(ticket.waker()) else { return Ok((false, None)) };
                *state = State::Came(came.unwrap_or_else(|panic| Err(panicked(&panic).into())));
            }
            if let State::Came(came) = &*state { Some(came.clone()) } else { None }
        };
        let model = came.transpose().map_err(|failure| failure.raise(py))?.map(Model::leased);
        Ok((true, model))
    }

    /// Gives up on it, or lets go of it. Harmless when called again.
    fn close(&self) {
        self.given_up.store(true, Relaxed);
        let was = std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Over);
        drop(was);
    }
}

impl Drop for Leasing {
    fn drop(&mut self) {
        self.given_up.store(true, Relaxed);
    }
}
