//! Models and the process they were loaded in: what happens to them at its exit, and in a forked child.

use std::any::Any;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use pyo3::prelude::*;
use trillm::{Llm, ModelInfo};

use crate::errors::fork_error;
use crate::pool::Pool;
use crate::{door, enter};

/// Every model that may have threads, with the process that they belong to.
static OPEN: Mutex<Vec<(u32, Weak<Llm>)>> = Mutex::new(Vec::new());

/// A model, and the process whose threads serve it. The Python object and its streams have it in common, so that a
/// stream goes on when the object is dropped; closing it ends them all.
pub(crate) struct Owned {
    /// Gone once closed.
    llm: Mutex<Option<Arc<Llm>>>,
    /// Also when it is closed.
    pub(crate) info: ModelInfo,
    /// The longest sequence as it was loaded, for when it is closed.
    pub(crate) context: u32,
    process: u32,
    /// What keeps the model's files in the store.
    kept: OnceLock<Py<PyAny>>,
    /// Who makes prompts of texts for event loops.
    pub(crate) preparing: Arc<Pool>,
    /// Who waits for vectors for them.
    pub(crate) embedding: Arc<Pool>,
}

/// Threads of a [`Pool`], at most: texts become tokens on so many at once, or as many callers wait for vectors.
const THREADS: usize = 8;

impl Owned {
    pub(crate) fn new(llm: Llm) -> Self {
        let (info, context) = (llm.info().clone(), llm.context());
        let llm = Arc::new(llm);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        open.retain(|(_, other)| other.strong_count() > 0);
        open.push((process, Arc::downgrade(&llm)));
        Self {
            llm: Mutex::new(Some(llm)),
            info,
            context,
            process,
            kept: OnceLock::new(),
            preparing: Pool::new("trillm-prepare", THREADS),
            embedding: Pool::new("trillm-vectors", THREADS),
        }
    }

    /// Keeps an object for as long as there is the model or a stream of it.
    pub(crate) fn keep(&self, object: Py<PyAny>) {
        self.kept.get_or_init(|| object);
    }

    /// The model, if this process loaded it and did not close it.
    pub(crate) fn get(&self) -> PyResult<Arc<Llm>> {
        check_process(self.process)?;
        // The lock is let go of first: raising lets go of the interpreter lock, and whoever takes that may want this one.
        self.here().ok_or_else(|| crate::errors::raise(trillm::Error::from(trillm::CoreError::Closed)))
    }

    /// The model, if it is not closed. For whoever knows that this process loaded it.
    pub(crate) fn here(&self) -> Option<Arc<Llm>> {
        self.llm.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes the model and lets go of its memory.
    pub(crate) fn close(&self, py: Python<'_>) {
        if self.process != std::process::id() {
            return;
        }
        let llm = self.llm.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(llm) = llm {
            let _ = enter::outside(py, move || {
                llm.close();
                drop(llm);
            });
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let Some(llm) = self.llm.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if self.process != std::process::id() {
            // Its threads do not exist here: waiting for them would be for ever. The memory goes with the process.
            std::mem::forget(llm);
            return;
        }
        // Its threads are waited for, and they may be in the middle of a step. Once the interpreter is gone there is no
        // lock to let go of, and they were stopped.
        let _ = Python::try_attach(|py| enter::outside(py, move || drop(llm)));
    }
}

/// A model that somebody uses: an object of Python's, a stream, a call. While there is one, no router lets it go.
pub(crate) struct Used {
    owned: Arc<Owned>,
    /// Of a router's: it ends when this is dropped.
    lease: Option<Box<dyn Any + Send + Sync>>,
}

impl Used {
    /// A model that is in no router.
    pub(crate) fn alone(owned: Owned) -> Arc<Self> {
        Arc::new(Self { owned: Arc::new(owned), lease: None })
    }

    /// A router's, for as long as the lease lasts.
    pub(crate) fn leased(owned: Arc<Owned>, lease: impl Any + Send + Sync) -> Arc<Self> {
        Arc::new(Self { owned, lease: Some(Box::new(lease)) })
    }

    pub(crate) fn owned(&self) -> &Arc<Owned> {
        &self.owned
    }
}

impl Deref for Used {
    type Target = Owned;

    fn deref(&self) -> &Owned {
        &self.owned
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // The router's lock may be held by a thread that does not exist here.
            std::mem::forget(self.lease.take());
        }
    }
}

/// Refuses to go on in a process other than the one given.
pub(crate) fn check_process(process: u32) -> PyResult<()> {
    if process == std::process::id() { Ok(()) } else { Err(fork_error()) }
}

/// Closes every model of this process, as the interpreter exits.
#[pyfunction]
pub(crate) fn close_all(py: Python<'_>) {
    let process = std::process::id();
    door::exit(py, || {
        let open = std::mem::take(&mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner));
        for llm in open.iter().filter(|(owner, _)| *owner == process).filter_map(|(_, llm)| llm.upgrade()) {
            llm.close();
        }
    });
}
