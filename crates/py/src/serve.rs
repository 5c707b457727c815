//! Models over HTTP, for Python: started and stopped from there, and answered without it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use trillm::Class;
use trillm::server::{Key, Models, Options, Refusal, Scope, Server as Native, routes};
use trillm_store::Names;

use crate::enter::{self, enter, outside};
use crate::errors::{exception, invalid, raise};
use crate::lifetime::check_process;
use crate::router::Router;
use crate::store::Store;

/// A server that runs until it is stopped, or dropped.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Server {
    /// There until it is dropped.
    native: Option<Native>,
    process: u32,
}

impl Server {
    fn native(&self) -> PyResult<&Native> {
        check_process(self.process)?;
        self.native.as_ref().ok_or_else(|| raise(trillm::CoreError::Closed))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let native = self.native.take();
        if self.process != std::process::id() {
            // Its threads do not exist in this child.
            std::mem::forget(native);
            return;
        }
        let _ = Python::try_attach(|py| outside(py, move || drop(native)));
    }
}

/// What is set of a server; `None` is as the server has it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Settings {
    host: String,
    port: u16,
    /// What each key is, and whether it opens the management of models, too.
    keys: Vec<(String, bool)>,
    origins: Vec<String>,
    hosts: Vec<String>,
    rate: Option<u32>,
    limits_loopback: bool,
    concurrent: usize,
    body: usize,
    bodies: usize,
    patience: f64,
    drain: f64,
}

impl Settings {
    fn options(self) -> PyResult<Options> {
        let address: IpAddr = match self.host.as_str() {
            "localhost" => [127, 0, 0, 1].into(),
            host => host.parse().map_err(|_| invalid("host", &format!("{host:?}"), "an address such as 127.0.0.1"))?,
        };
        let key = |(secret, admin): &(String, bool)| Key::new(secret, if *admin { Scope::Admin } else { Scope::Use });
        let seconds = |name, given: f64| {
            let expected = "seconds, 0 or more";
            Duration::try_from_secs_f64(given).map_err(|_| invalid(name, &given.to_string(), expected))
        };
        Ok(Options {
            address: SocketAddr::new(address, self.port),
            keys: self.keys.iter().map(key).collect(),
            origins: self.origins,
            hosts: self.hosts,
            rate: self.rate,
            limits_loopback: self.limits_loopback,
            concurrent: self.concurrent,
            body: self.body,
            bodies: self.bodies,
            patience: seconds("client_timeout", self.patience)?,
            drain: seconds("drain", self.drain)?,
        })
    }
}

/// What cannot be served, as Python's error.
fn refused(refusal: Refusal) -> PyErr {
    exception((Class::InvalidRequest, &refusal.code), &refusal.message, refusal.hint.clone())
}

#[pymethods]
impl Server {
    /// Serves a router's models, and those of its store and folder. `paths` are its models that are files or folders,
    /// which clients may use by their names.
    #[new]
    #[pyo3(signature = (router, store, models_directory, paths, settings))]
    fn new(
        py: Python<'_>,
        router: &Router,
        store: &Store,
        models_directory: Option<PathBuf>,
        paths: Vec<String>,
        settings: Settings,
    ) -> PyResult<Self> {
        let (pool, options) = (router.pool()?.clone(), settings.options()?);
        let names = Names::of_user().map_err(raise)?;
        let names = Names { models: models_directory.or(names.models), ..names };
        let mut models = Models::new(pool, store.inner().clone(), names);
        for path in paths {
            models.open(&path).map_err(refused)?;
        }
        let native = enter(py, move || Native::start(Arc::new(models), options))?;
        Ok(Self { native: Some(native), process: std::process::id() })
    }

    /// All routes: method, path, and what opens each: `open`, `use` or `admin`.
    #[staticmethod]
    fn routes() -> Vec<(&'static str, &'static str, &'static str)> {
        let scope = |scope| match scope {
            Scope::Open => "open",
            Scope::Use => "use",
            Scope::Admin => "admin",
        };
        routes().into_iter().map(|route| (route.method, route.path, scope(route.scope))).collect()
    }

    /// The address and the port where it listens.
    #[getter]
    fn address(&self) -> PyResult<(String, u16)> {
        let address = self.native()?.address();
        Ok((address.ip().to_string(), address.port()))
    }

    /// Lines of the log from number `first` on, each JSON, and the number of the next one.
    fn log(&self, first: u64) -> PyResult<(Vec<String>, u64)> {
        Ok(self.native()?.log(first))
    }

    /// Waits until it has stopped; signals are heard.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        let native = self.native()?;
        enter::wait(py, || native.wait(enter::SLICE))
    }

    /// Takes no more requests, lets those that run end, and stops. Harmless when called again.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let native = self.native()?;
        outside(py, || native.begin_stop())?;
        enter::wait(py, || native.wait(enter::SLICE))
    }
}
