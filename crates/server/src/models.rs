//! A pool of models as what is served: what clients may call its models, and what they are told of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use trillm_core::{Class, Coded, Defaults, Error as CoreError};
use trillm_llm::Llm;
use trillm_runtime::plan::{Others, Plan};
use trillm_runtime::{Failure, GoesOn, Keep, Lease, Pool, Source, Status, When};
use trillm_store::{Catalogue, Chat, Known, Manifest, Model, Names, Offline, Reference, Store, Watch};

use crate::{Available, InUse, Loaded, Refusal, Served};

/// The models of a pool, and of the store that it is filled from.
pub struct Models<S: Source> {
    pool: Arc<Pool<S>>,
    store: Store,
    names: Names,
    /// Models that are paths, by what clients call them.
    paths: BTreeMap<String, String>,
}

impl<S: Source> Models<S> {
    /// The models of `pool`; what names mean, and which models there are besides those in memory, `store` and `names`
    /// say.
    pub fn new(pool: Arc<Pool<S>>, store: Store, names: Names) -> Self {
        Self { pool, store, names, paths: BTreeMap::new() }
    }

    /// Serves a model that is a path, too, and returns what clients call it: its file's or folder's name. `model` is its
    /// name in the pool.
    ///
    /// # Errors
    /// If another model has that name.
    pub fn open(&mut self, model: &str) -> Result<String, Refusal> {
        let name = called(model);
        let is_known = matches!(self.names.parse(&name), Ok(wanted) if !matches!(wanted.reference, Reference::Path(_)));
        let other = self.paths.get(&name).map(String::as_str).or(is_known.then_some("a model by that name"));
        if let Some(other) = other.filter(|other| *other != model) {
            let message = format!("clients would call {model} {name:?}, and so they call {other}");
            return Err(
                Refusal::new(Class::InvalidRequest, "name_taken", message).advising("give the file another name")
            );
        }
        self.paths.insert(name.clone(), model.to_owned());
        Ok(name)
    }

    /// Whether the pool calls a model by its path.
    fn is_path(&self, name: &str) -> bool {
        self.names.parse(name).is_ok_and(|wanted| matches!(wanted.reference, Reference::Path(_)))
    }

    /// What clients call a model of the pool.
    fn called(&self, name: &str) -> String {
        let path = self.paths.iter().find(|(_, path)| *path == name);
        match path {
            Some((called, _)) => called.clone(),
            None if self.is_path(name) => called(name),
            None => name.to_owned(),
        }
    }

    /// The path in the pool of a model that clients call so: one that is served, or was loaded since by its path.
    fn path(&self, name: &str) -> Option<String> {
        let loaded =
            || self.pool.status().into_iter().map(|it| it.name).find(|it| called(it) == name && self.is_path(it));
        self.paths.get(name).cloned().or_else(loaded)
    }

    /// What the store calls a model, which has it.
    fn in_store(&self, name: &str) -> Result<String, Refusal> {
        let found = if self.path(name).is_some() { None } else { Some(self.names.parse(name)?.reference) };
        match found {
            Some(found) if !matches!(found, Reference::Path(_)) => Ok(found.to_string()),
            _ => {
                let message = format!("{name:.200} is a file or folder of its own, and in no store");
                let refusal = Refusal::new(Class::InvalidRequest, "not_in_store", message).about("model");
                Err(refusal.advising("take it in by `trillm import`"))
            }
        }
    }

    /// What is in memory is not what the store has any more: it goes once nobody uses it.
    fn let_go(&self, name: &str) {
        if let Some(mut lease) = self.pool.lease_now(name) {
            lease.keep(Keep::For(Duration::ZERO));
        }
    }

    /// What the pool calls a model.
    fn in_pool(&self, name: &str) -> String {
        self.path(name).unwrap_or_else(|| name.to_owned())
    }
}

/// What clients call a model that is a path: its file's name without its ending, or its folder's.
fn called(path: &str) -> String {
    let path = Path::new(path);
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl<S: Source> Served for Models<S>
where
    S::Model: Loaded,
    S::Error: Into<Refusal>,
{
    fn name(&self, given: &str) -> Result<String, Refusal> {
        if self.path(given).is_some() {
            return Ok(given.to_owned());
        }
        let wanted = self.names.parse(given)?;
        // A bare name may be a file in the folder of models.
        let is_there = |path: &Path| path.parent() == self.names.models.as_deref() && !given.contains(['/', '\\']);
        if matches!(&wanted.reference, Reference::Path(path) if !is_there(path)) {
            let message = format!("{given:.200} is no name of a model here");
            return Err(Refusal::new(Class::NotFound, "model_not_found", message).about("model").advising(
                "GET /v1/models lists those there are; paths are served if the server was started with them",
            ));
        }
        Ok(wanted.to_string())
    }

    fn lease_now(&self, name: &str) -> Option<Box<dyn InUse>> {
        used(self.pool.lease_now(&self.in_pool(name))?)
    }

    fn is_here(&self, name: &str) -> bool {
        let Some(wanted) = self.names.parse(name).ok().filter(|_| self.path(name).is_none()) else { return true };
        let watch: Arc<Watch> = Arc::new(|_| ControlFlow::Continue(()));
        matches!(wanted.reference, Reference::Path(_)) || self.store.present(&wanted, &Offline, &watch).is_ok()
    }

    fn lease(&self, name: &str, goes_on: &GoesOn) -> Result<Box<dyn InUse>, Refusal> {
        let lease = self.pool.lease(&self.in_pool(name), goes_on).map_err(Into::into)?;
        used(lease).ok_or_else(|| CoreError::Closed.into())
    }

    fn unload(&self, name: &str, when: When, goes_on: &GoesOn) -> Result<(), Refusal> {
        Ok(self.pool.unload(&self.in_pool(name), when, goes_on)?)
    }

    fn fetch(&self, name: &str, watch: &Arc<Watch>) -> Result<(), Refusal> {
        self.pool.source().fetch(&self.in_pool(name), watch).map_err(Into::into)
    }

    fn remove(&self, name: &str) -> Result<(), Refusal> {
        self.store.remove(&self.in_store(name)?)?;
        self.let_go(name);
        Ok(())
    }

    fn derive(&self, from: &str, name: &str, chat: Chat) -> Result<(), Refusal> {
        let local: Reference = format!("local:{name}").parse()?;
        let manifest = self.store.get(&self.in_store(from)?)?;
        let chat = Defaults::from(chat).or(manifest.published());
        let model = Model { reference: local.to_string(), chat: Some(chat.into()), ..manifest.model };
        let name = model.reference.clone();
        self.store.put(model)?;
        self.let_go(&name);
        Ok(())
    }

    fn look(&self, name: &str) -> Option<Arc<Llm>> {
        self.pool.model(&self.in_pool(name))?.llm()
    }

    fn pin(&self, name: &str, pinned: bool) -> Result<(), Refusal> {
        Ok(self.pool.pin(&self.in_pool(name), pinned)?)
    }

    fn plan(&self, name: &str, goes_on: &GoesOn) -> Result<Plan, Refusal> {
        if !self.is_here(name) {
            return Err(Refusal::new(
                Class::NotFound,
                "model_not_found",
                format!("{name:.200} is not on this machine"),
            ));
        }
        let (source, name) = (self.pool.source(), self.in_pool(name));
        let (found, _) = source.find(&name, goes_on).map_err(Into::into)?;
        let unknown = || Refusal::new(Class::Unsupported, "unsupported", "what this model takes is not known");
        let others = Others { budget: self.pool.left_for(&name), ..Others::default() };
        source.candidate(&found).map(|candidate| candidate.plan(&others)).ok_or_else(unknown)
    }

    fn status(&self) -> Vec<Status> {
        let mut all = self.pool.status();
        for status in &mut all {
            status.name = self.called(&status.name);
        }
        all
    }

    fn available(&self) -> Result<Vec<Available>, Refusal> {
        let catalogue = Catalogue::read(&self.store, self.names.models.clone())?;
        let stored = catalogue.stored.into_iter().filter_map(|known| {
            let manifest = known.manifest.as_ref()?;
            let name = manifest.model.reference.clone();
            let (created, digest) = (manifest.created, Some(manifest.model.id().to_string()));
            Some(Available { created, digest, ..said(name, known) })
        });
        let own = catalogue.own.into_iter().filter_map(|known| {
            let name = known.path.file_name()?.to_str()?.to_owned();
            Some(said(name, known))
        });
        let opened = self.paths.iter().map(|(name, path)| said(name.clone(), Known::new(path.into(), None)));
        Ok(opened.chain(own).chain(stored).collect())
    }
}

/// What is told of a model of this machine.
fn said(name: String, known: Known) -> Available {
    let bytes = known.size().unwrap_or(0);
    let published = known.manifest.as_ref().map(Manifest::published);
    let info = known.info.ok().map(|mut info| {
        info.defaults = published.unwrap_or_default().or(info.defaults);
        info.system = info.defaults.system.as_ref().map(|given| given.value.clone());
        info
    });
    Available { name, bytes, info, ..Available::default() }
}

/// A model of a pool that is used.
struct Used<S: Source> {
    llm: Arc<Llm>,
    /// Goes after the model.
    lease: Lease<S>,
}

fn used<S: Source>(lease: Lease<S>) -> Option<Box<dyn InUse>>
where
    S::Model: Loaded,
{
    Some(Box::new(Used { llm: lease.model().llm()?, lease }))
}

impl<S: Source> InUse for Used<S>
where
    S::Model: Loaded,
{
    fn llm(&self) -> &Llm {
        &self.llm
    }

    fn keep(&mut self, keep: Keep) {
        self.lease.keep(keep);
    }
}

impl<E: Coded> From<Failure<E>> for Refusal {
    fn from(error: Failure<E>) -> Self {
        Self::of(&error)
    }
}
