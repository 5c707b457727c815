//! Several models by name, for Python: one call each.

mod goes_on;
mod leasing;
mod left;
mod shelf;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::plan::Idle;
use trillm::runtime::{GoesOn, Keep, Limits, Phase, Pool, Status, When};

pub(crate) use self::goes_on::Wanted;
pub(crate) use self::leasing::Leasing;
pub(crate) use self::left::Left;
pub(crate) use self::shelf::Shelf;
use self::shelf::{Failure, used};
use crate::enter::outside;
use crate::errors::{invalid, raise};
use crate::lifetime::check_process;
use crate::model::{Model, stats};
use crate::watch::Watch;

/// Models in memory, by name: see `trillm_runtime::Pool`.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Router {
    /// There until it is dropped.
    pool: Option<Arc<Pool<Shelf>>>,
    process: u32,
}

impl Router {
    pub(crate) fn pool(&self) -> PyResult<&Arc<Pool<Shelf>>> {
        check_process(self.process)?;
        self.pool.as_ref().ok_or_else(|| raise(trillm::runtime::Error::Closed))
    }

    /// Does `work` for a caller who waits; signals end that.
    fn wait<T: Send, E: Send + Into<Failure>>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Arc<Pool<Shelf>>, &GoesOn) -> Result<T, E> + Send,
    ) -> PyResult<T> {
        let pool = self.pool()?;
        let watch = Arc::new(Watch::new(None));
        let goes_on: GoesOn = {
            let watch = watch.clone();
            Arc::new(move || watch.goes_on(()))
        };
        let done = outside(py, || work(pool, &goes_on))?;
        done.map_err(|failure| watch.raised().unwrap_or_else(|| failure.into().raise(py)))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Its lock may be held by a thread that does not exist in this child.
            std::mem::forget(self.pool.take());
        }
    }
}

/// How long a model stays: seconds, infinitely many for as long as nobody needs its room.
fn keep(name: &str, seconds: f64) -> PyResult<Keep> {
    if seconds == f64::INFINITY {
        return Ok(Keep::Forever);
    }
    duration(name, seconds).map(Keep::For)
}

fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| invalid(name, &seconds.to_string(), "seconds, 0 or more"))
}

#[pymethods]
impl Router {
    /// Models come from `shelf`, an object of `trillm._shelf`; limits are as in `set_limits`. What the system says of
    /// memory lies below `system`.
    #[new]
    #[pyo3(signature = (shelf, *, models, size, idle, patience, pressure, system=PathBuf::from("/")))]
    fn new(
        shelf: Py<PyAny>,
        models: Option<usize>,
        size: Option<u64>,
        idle: f64,
        patience: f64,
        pressure: bool,
        system: PathBuf,
    ) -> PyResult<Self> {
        let limits = limits(models, size, idle, patience, pressure)?;
        let pool = Some(Arc::new(Pool::on(system, Shelf(shelf), limits)));
        Ok(Self { pool, process: std::process::id() })
    }

    /// A model to use as long as somebody has what is returned, or a stream or call of it; brings it if it is not here.
    #[pyo3(signature = (name, keep_alive=None))]
    fn lease(&self, py: Python<'_>, name: &str, keep_alive: Option<f64>) -> PyResult<Model> {
        if let Some(here) = self.lease_now(name, keep_alive)? {
            return Ok(here);
        }
        let keep = keep_alive.map(|seconds| keep("keep_alive", seconds)).transpose()?;
        let lease = self.wait(py, |pool, goes_on| pool.lease(name, goes_on))?;
        Ok(Model::leased(used(lease, keep)))
    }

    /// The same if it is here, `None` if not: nobody waits.
    #[pyo3(signature = (name, keep_alive=None))]
    fn lease_now(&self, name: &str, keep_alive: Option<f64>) -> PyResult<Option<Model>> {
        let keep = keep_alive.map(|seconds| keep("keep_alive", seconds)).transpose()?;
        Ok(self.pool()?.lease_now(name).map(|lease| Model::leased(used(lease, keep))))
    }

    /// The same for an event loop, which is told when it is here.
    fn leasing(&self, name: String) -> PyResult<Leasing> {
        Leasing::begin(self.pool()?.clone(), name)
    }

    /// Closes a model once nobody uses it, if that is within `wait` seconds (`None`: any number), or at once. Raises
    /// `ModelNotFound` (`not_loaded`), `Overloaded` (`busy`).
    #[pyo3(signature = (name, at_once, wait=None))]
    fn unload(&self, py: Python<'_>, name: &str, at_once: bool, wait: Option<f64>) -> PyResult<()> {
        let within = wait.map(|seconds| keep("wait", seconds)).transpose()?;
        let when = match within {
            _ if at_once => When::AtOnce,
            Some(Keep::For(time)) => When::Within(time),
            Some(Keep::Forever) | None => When::Unused,
        };
        self.wait(py, |pool, goes_on| pool.unload(name, when, goes_on))
    }

    /// Keeps a model that is here from going, or lets it go. Raises `ModelNotFound` (`not_loaded`).
    fn pin(&self, py: Python<'_>, name: &str, pinned: bool) -> PyResult<()> {
        self.wait(py, |pool, _| pool.pin(name, pinned))
    }

    /// At most so many models, which take so many bytes (`None`: any number); how many seconds one stays that nobody
    /// uses, and how many somebody waits for room that others use; whether those that nobody uses go when memory is short.
    #[pyo3(signature = (*, models, size, idle, patience, pressure))]
    fn set_limits(
        &self,
        py: Python<'_>,
        models: Option<usize>,
        size: Option<u64>,
        idle: f64,
        patience: f64,
        pressure: bool,
    ) -> PyResult<()> {
        let limits = limits(models, size, idle, patience, pressure)?;
        self.wait(py, |pool, _| {
            pool.set_limits(limits);
            Ok::<_, trillm::runtime::Error>(())
        })
    }

    /// What is in memory or on its way, by name; what can be used with its counters.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.pool()?.status().iter().map(|status| to_dict(py, status)).collect()
    }

    /// Models that nobody uses and that may go, the least recently used first, and what unloading each gives back.
    fn idle(&self) -> PyResult<Vec<(String, u64)>> {
        Ok(self.pool()?.idle().into_iter().map(|(name, model)| (name, model.private())).collect())
    }

    /// What is left for a model of this name, and which of the others could go for it.
    fn left_for(&self, name: &str) -> PyResult<Left> {
        let pool = self.pool()?;
        let others = pool.idle().into_iter().filter(|(other, _)| other != name);
        let idle = others.map(|(name, model)| Idle { planned: pool.bytes_of(&name), bytes: model.private(), name });
        Ok(Left { budget: pool.left_for(name), idle: idle.collect() })
    }

    /// Ends what runs and closes all models. Harmless when called again.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let pool = self.pool()?;
        outside(py, || pool.close())
    }
}

fn limits(models: Option<usize>, size: Option<u64>, idle: f64, patience: f64, pressure: bool) -> PyResult<Limits> {
    let (idle, patience) = (keep("unload_idle_time", idle)?, duration("patience", patience)?);
    let pressure = Limits::default().pressure.filter(|_| pressure);
    Ok(Limits { models, bytes: size, idle, patience, pressure })
}

fn to_dict<'py>(py: Python<'py>, status: &Status) -> PyResult<Bound<'py, PyDict>> {
    let phase = match status.phase {
        Phase::Coming => "loading",
        Phase::Here => "loaded",
        Phase::Going => "unloading",
    };
    let dict = PyDict::new(py);
    dict.set_item("name", &status.name)?;
    dict.set_item("phase", phase)?;
    dict.set_item("bytes", status.bytes)?;
    dict.set_item("leases", status.leases)?;
    dict.set_item("awaited", status.awaited)?;
    dict.set_item("requests", status.requests)?;
    dict.set_item("pinned", status.pinned)?;
    dict.set_item("load_time", status.load_time.as_secs_f64())?;
    dict.set_item("time_since_last_use", status.idle.map(|time| time.as_secs_f64()))?;
    dict.set_item("unloads_in", status.left.map(|time| time.as_secs_f64()))?;
    status.stats.iter().try_for_each(|counted| stats(&dict, counted))?;
    Ok(dict)
}
