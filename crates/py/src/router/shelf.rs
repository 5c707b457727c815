//! Where a router's models come from: Python finds and loads them, and is told what becomes of them.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::plan::{Idle, MemoryRefused};
use trillm::runtime::{Candidate, Error, Event, GoesOn, Keep, Lease, Shortage, Source, Why};
use trillm::server::Refusal;
use trillm::{Class, Llm, Stats};
use trillm_store::Watch;

use super::goes_on::Wanted;
use crate::door;
use crate::errors::{named, raise};
use crate::lifetime::{Owned, Used};
use crate::model::{Model, finding_runtime};
use crate::params::open_options;
use crate::plan::refused;
use crate::store::Report;
use crate::watch::Watch as Callback;

/// An object of `trillm._shelf`.
pub(crate) struct Shelf(pub(super) Py<PyAny>);

/// A model that is on this machine.
pub(crate) struct Found {
    candidate: Candidate,
    /// Load it though memory would not suffice.
    force: bool,
    /// What it stands for, which keeps its files where they are.
    resolved: Py<PyAny>,
    params: Py<PyDict>,
}

/// A model that is loaded.
pub(crate) struct Loaded {
    owned: Arc<Owned>,
    /// Python's, which is closed in the end.
    model: Py<PyAny>,
    /// What unloading it gives back.
    private: u64,
}

impl Loaded {
    /// What unloading it gives back.
    pub(super) fn private(&self) -> u64 {
        self.private
    }

    pub(super) fn owned(&self) -> &Arc<Owned> {
        &self.owned
    }
}

/// A model as its user has it, for as long as somebody has that.
pub(super) fn used(mut lease: Lease<Shelf>, keep: Option<Keep>) -> Arc<Used> {
    if let Some(keep) = keep {
        lease.keep(keep);
    }
    Used::leased(lease.owned().clone(), lease)
}

/// What can go wrong; the same for all who wait for it.
#[derive(Clone)]
pub(crate) enum Failure {
    Pool(Error),
    Memory(MemoryRefused),
    Raised(Arc<PyErr>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Raised(Arc::new(error))
    }
}

impl Failure {
    pub(super) fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Pool(error) => raise(error),
            Self::Memory(error) => refused(py, error),
            Self::Raised(error) => copy(py, &error),
        }
    }
}

/// An error that others get, too: each has a traceback of its own.
fn copy(py: Python<'_>, error: &PyErr) -> PyErr {
    let copied = door::module(py, "copy", |copy| copy.call_method1("copy", (error.value(py),)));
    copied.map_or_else(|_| error.clone_ref(py), PyErr::from_value)
}

impl trillm::server::Loaded for Loaded {
    fn llm(&self) -> Option<Arc<Llm>> {
        self.owned.get().ok()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Pool(error) => Self::of(&error),
            Failure::Memory(error) => Self::of(&error),
            Failure::Raised(error) => door::inside(|py| {
                let value = error.value(py);
                let text = |name| value.getattr(name).and_then(|it| it.extract::<String>()).ok();
                let code = text("code").unwrap_or_else(|| "internal_error".into());
                let refusal = match class_of(value) {
                    Some(class) => Self::new(class, code, value.to_string()),
                    None => Self::download(code, value.to_string()),
                };
                match text("hint") {
                    Some(hint) => refusal.advising(hint),
                    None => refusal,
                }
            }),
        }
    }
}

/// The class of what Python raised; `None` of a download that failed, of which the native half has none.
fn class_of(raised: &Bound<'_, PyAny>) -> Option<Class> {
    let known = raised.get_type().mro().iter().find_map(|class| {
        let name = class.getattr("__name__").ok()?.extract::<String>().ok()?;
        match name.as_str() {
            "AbsentError" => Some(Some(Class::NotFound)),
            "DownloadError" => Some(None),
            name => named(name).map(Some),
        }
    });
    known.unwrap_or(Some(Class::Engine))
}

impl Shelf {
    /// Has Python's part do something.
    fn ask<T>(&self, work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> PyResult<T> {
        door::inside(|py| door::call(py, || work(self.0.bind(py))))
    }
}

impl Source for Shelf {
    type Found = Found;
    type Model = Loaded;
    type Error = Failure;

    fn find(&self, name: &str, goes_on: &GoesOn) -> Result<(Found, u64), Failure> {
        let (path, resolved, preferred, options) = self.ask(|shelf| {
            let found = shelf.call_method1("find", (name, Wanted(goes_on.clone())))?;
            let (path, resolved, asked, preferred): (PathBuf, Py<PyAny>, Py<PyDict>, Option<String>) =
                found.extract()?;
            let (options, _) = open_options(Some(asked.bind(shelf.py())))?;
            Ok((path, resolved, preferred, options))
        })?;
        let wanted = trillm::Wanted { preferred: preferred.as_deref(), ..options.wanted() };
        let choice = trillm::choose(&path, wanted).map_err(raise)?;
        let (engine, trained) = (choice.engine.name(), choice.file.info.context_trained);
        let (params, force, options) = self.ask(|shelf| {
            let wanted = Wanted(goes_on.clone());
            let how = shelf.call_method1("settings", (name, engine, trained, wanted))?;
            let (params, force): (Py<PyDict>, bool) = how.extract()?;
            let (mut options, _) = open_options(Some(params.bind(shelf.py())))?;
            options.load.find_runtime = Some(finding_runtime(&Arc::new(Callback::new(None))));
            Ok((params, force, options))
        })?;
        let candidate = Candidate::new(choice, options).map_err(raise)?;
        let bytes = candidate.need().total();
        Ok((Found { candidate, force, resolved, params }, bytes))
    }

    fn fetch(&self, name: &str, watch: &Arc<Watch>) -> Result<(), Failure> {
        Ok(self.ask(|shelf| shelf.call_method1("bring", (name, Report(watch.clone()))).map(drop))?)
    }

    fn fit(&self, _: &str, found: &Found, idle: &[(String, Arc<Loaded>)]) -> Result<Vec<String>, Failure> {
        let idle = idle.iter().map(|(name, model)| Idle { name: name.clone(), bytes: model.private, planned: 0 });
        found.candidate.fit(idle.collect(), found.force).map_err(Failure::Memory)
    }

    fn candidate<'a>(&self, found: &'a Found) -> Option<&'a Candidate> {
        Some(&found.candidate)
    }

    fn load(&self, name: &str, found: Found, goes_on: &GoesOn) -> Result<Loaded, Failure> {
        let Found { candidate, resolved, params, .. } = found;
        let private = candidate.need().private();
        Ok(self.ask(|shelf| {
            let model = shelf.call_method1("load", (name, resolved, params, Wanted(goes_on.clone())))?;
            let owned = model.getattr("_core")?.cast::<Model>()?.get().owned().clone();
            Ok(Loaded { owned, model: model.unbind(), private })
        })?)
    }

    fn close(&self, model: &Loaded) {
        let closed = self.ask(|shelf| model.model.bind(shelf.py()).call_method0("close").map(drop));
        tell(closed);
    }

    fn stats(&self, model: &Loaded) -> Option<Stats> {
        model.owned.here().map(|llm| llm.stats())
    }

    fn is_giving_up(&self, error: &Failure) -> bool {
        match error {
            Failure::Pool(error) => matches!(error, Error::Cancelled { .. }),
            Failure::Memory(_) => false,
            Failure::Raised(error) => door::inside(|py| {
                let code = || error.value(py).getattr("code")?.extract::<String>();
                !error.is_instance_of::<PyException>(py)
                    || code().is_ok_and(|code| ["cancelled", "load_cancelled"].contains(&&*code))
            }),
        }
    }

    fn event(&self, event: &Event<'_>) {
        let told = self.ask(|shelf| {
            let details = PyDict::new(shelf.py());
            let (kind, name) = match *event {
                Event::Loading { name } => ("loading", name),
                Event::Loaded { name, seconds } => {
                    details.set_item("load_time", seconds)?;
                    ("loaded", name)
                }
                Event::Failed { name } => ("failed", name),
                Event::Unloaded { name, why } => {
                    let (kind, why) = match why {
                        Why::Room(other) => {
                            details.set_item("makes_room_for", other)?;
                            ("evicted", "room")
                        }
                        Why::Pressure(shortage) => {
                            tell_of(shortage, &details)?;
                            ("evicted", "pressure")
                        }
                        Why::Idle => ("unloaded", "idle"),
                        Why::Asked => ("unloaded", "asked"),
                    };
                    details.set_item("why", why)?;
                    (kind, name)
                }
            };
            shelf.call_method1("event", (kind, name, details)).map(drop)
        });
        tell(told);
    }
}

/// What of memory is short, in words and in numbers.
fn tell_of(shortage: &Shortage, details: &Bound<'_, PyDict>) -> PyResult<()> {
    details.set_item("reason", shortage.to_string())?;
    match shortage {
        Shortage::Free(level) => {
            details.set_item("memory_free", level.free)?;
            details.set_item("memory_limit", level.limit)
        }
        Shortage::Stalled(share) => details.set_item("memory_stalled", share),
    }
}

/// Shows an error that nobody waits for as Python shows those.
fn tell(done: PyResult<()>) {
    if let Err(error) = done {
        door::inside(|py| error.write_unraisable(py, None));
    }
}
