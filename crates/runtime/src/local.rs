//! Models of this machine: files and folders, and what the store has, or gets from whoever can fetch it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{ControlFlow, Deref};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use trillm_core::{Class, Coded, Error as CoreError};
use trillm_llm::{Llm, OpenOptions, Speeds, Stats, choose};
use trillm_store::{Error as StoreError, Fetch, Held, Names, Store, Watch};

use crate::plan::{Idle, MemoryRefused};
use crate::{Candidate, Error, GoesOn, Source};

/// What a pool of models is filled from by a program without Python.
pub struct Local<F> {
    store: Store,
    names: Names,
    fetch: F,
    /// How those are loaded for which somebody said so.
    wishes: Mutex<BTreeMap<String, Wish>>,
}

/// How somebody wants a model to be loaded.
#[derive(Clone, Default)]
struct Wish {
    options: OpenOptions,
    force: bool,
}

impl<F: Fetch> Local<F> {
    /// Models are called what people type for them; what is not in the store is fetched by `fetch`. What is wrong with
    /// the user's file of aliases is an error of a name that may be in it and is not known otherwise; [`Names::look_up`]
    /// tells it of any name.
    ///
    /// # Errors
    /// If there is no current folder for a relative path of the user's settings.
    pub fn new(store: Store, fetch: F) -> Result<Self, StoreError> {
        Ok(Self { store, names: Names::of_user()?, fetch, wishes: Mutex::default() })
    }

    /// How a model is opened from now on; if it is loaded it stays as it is.
    pub fn set(&self, name: &str, options: OpenOptions) {
        self.wish(name, |wish| wish.options = options);
    }

    /// Whether a model is loaded from now on though memory would not suffice by its plan, which is refused else. What the
    /// system or the pool does not give is still an error.
    pub fn force(&self, name: &str, force: bool) {
        self.wish(name, |wish| wish.force = force);
    }

    fn wish(&self, name: &str, change: impl FnOnce(&mut Wish)) {
        change(self.wishes.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }

    fn wished(&self, name: &str) -> Wish {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    fn present(&self, name: &str, watch: &Arc<Watch>) -> Result<(PathBuf, Option<Held>), F::Error> {
        let wanted = self.names.parse(name)?;
        if let Some(path) = wanted.reference.local()? {
            return Ok((path.to_owned(), None));
        }
        let held = self.store.present(&wanted, &self.fetch, watch)?;
        Ok((held.path.clone(), Some(held)))
    }
}

/// A model on this machine that is not loaded yet.
pub struct Found {
    path: PathBuf,
    held: Option<Held>,
    candidate: Candidate,
    force: bool,
}

/// A model that is loaded; the store keeps its files for as long.
pub struct Loaded {
    llm: Arc<Llm>,
    /// What unloading it gives back.
    private: u64,
    _held: Option<Held>,
}

impl Loaded {
    /// The model, for longer than a lease: it may be closed by then.
    pub fn llm(&self) -> &Arc<Llm> {
        &self.llm
    }
}

impl Deref for Loaded {
    type Target = Llm;

    fn deref(&self) -> &Llm {
        &self.llm
    }
}

impl<F> Source for Local<F>
where
    F: Fetch + Send + Sync + 'static,
    F::Error: Send + Sync + 'static,
{
    type Found = Found;
    type Model = Loaded;
    type Error = Failure<F::Error>;

    fn find(&self, name: &str, goes_on: &GoesOn) -> Result<(Found, u64), Self::Error> {
        let goes_on = goes_on.clone();
        let watch: Arc<Watch> =
            Arc::new(move |_| if goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) });
        let (path, held) = self.present(name, &watch).map_err(|error| Failure::Fetch(Arc::new(error)))?;
        let Wish { mut options, force } = self.wished(name);
        options.speeds.get_or_insert_with(|| Speeds::in_folder(self.store.root()));
        if let Some(held) = &held {
            options.published = options.published.or(held.manifest.published());
        }
        let choice = choose(&path, options.wanted())?;
        // What was decided by is what is loaded, whatever is measured meanwhile.
        options.engine = Some(choice.engine.name().to_owned());
        let candidate = Candidate::new(choice, options)?;
        let bytes = candidate.need().total();
        Ok((Found { path, held, candidate, force }, bytes))
    }

    fn fetch(&self, name: &str, watch: &Arc<Watch>) -> Result<(), Self::Error> {
        self.present(name, watch).map(drop).map_err(|error| Failure::Fetch(Arc::new(error)))
    }

    fn fit(&self, _: &str, found: &Found, idle: &[(String, Arc<Loaded>)]) -> Result<Vec<String>, Self::Error> {
        let idle = idle.iter().map(|(name, model)| Idle { name: name.clone(), bytes: model.private, planned: 0 });
        Ok(found.candidate.fit(idle.collect(), found.force)?)
    }

    fn candidate<'a>(&self, found: &'a Found) -> Option<&'a Candidate> {
        Some(&found.candidate)
    }

    fn load(&self, _: &str, found: Found, goes_on: &GoesOn) -> Result<Loaded, Self::Error> {
        let private = found.candidate.need().private();
        let Found { path, held, candidate: Candidate { mut options, .. }, .. } = found;
        let (told, goes_on) = (options.load.progress.take(), goes_on.clone());
        options.load.progress = Some(Arc::new(move |share| goes_on() && told.as_ref().is_none_or(|told| told(share))));
        Ok(Loaded { llm: Arc::new(Llm::open(&path, options)?), private, _held: held })
    }

    fn close(&self, model: &Loaded) {
        model.llm.close();
    }

    fn stats(&self, model: &Loaded) -> Option<Stats> {
        Some(model.llm.stats())
    }

    fn is_giving_up(&self, error: &Self::Error) -> bool {
        match error {
            Failure::Pool(error) => matches!(error, Error::Cancelled { .. }),
            Failure::Model(error) => matches!(**error, trillm_llm::Error::Core(CoreError::Cancelled)),
            Failure::Memory(_) | Failure::Fetch(_) => false,
        }
    }
}

/// What can go wrong with a model of this machine; the same for all who wait for it.
#[derive(Debug)]
pub enum Failure<E> {
    /// There is no room for it, or the caller gave up.
    Pool(Error),
    /// The system has not the memory for it.
    Memory(MemoryRefused),
    /// It cannot be loaded.
    Model(Arc<trillm_llm::Error>),
    /// It is not there, and could not be fetched.
    Fetch(Arc<E>),
}

impl<E> Clone for Failure<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Pool(error) => Self::Pool(error.clone()),
            Self::Memory(error) => Self::Memory(error.clone()),
            Self::Model(error) => Self::Model(error.clone()),
            Self::Fetch(error) => Self::Fetch(error.clone()),
        }
    }
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}

impl<E> From<MemoryRefused> for Failure<E> {
    fn from(error: MemoryRefused) -> Self {
        Self::Memory(error)
    }
}

impl<E> From<trillm_llm::Error> for Failure<E> {
    fn from(error: trillm_llm::Error) -> Self {
        Self::Model(Arc::new(error))
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
            Self::Model(error) => error.fmt(f),
            Self::Fetch(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Failure<E> {}

impl<E: Coded> Coded for Failure<E> {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Pool(error) => error.kind(),
            Self::Memory(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Fetch(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Pool(error) => error.hint(),
            Self::Memory(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::Fetch(error) => error.hint(),
        }
    }
}
