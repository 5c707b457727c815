//! How models come into memory and go out of it: what a pool is told, so that it need not know.

use std::sync::Arc;

use trillm_llm::Stats;
use trillm_store::Watch;

use crate::{Candidate, Error, Shortage};

/// Whether a caller still wants what it waits for; asked every now and then.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// Who finds, loads and closes models. Called on the thread of whoever asked for the model, or on one that closes what
/// was idle, and never with a lock held.
pub trait Source: Send + Sync + 'static {
    /// A model that is on this machine, and can be loaded.
    type Found;
    /// A model that is loaded.
    type Model: Send + Sync + 'static;
    /// What can go wrong. All who wait for one load get the same.
    type Error: Clone + From<Error> + Send + Sync + 'static;

    /// Makes a model present, and says how many bytes it will take.
    ///
    /// # Errors
    /// As it says.
    fn find(&self, name: &str, goes_on: &GoesOn) -> Result<(Self::Found, u64), Self::Error>;

    /// Makes a model present, and tells `watch` how far that is, which may end it; by finding it, where there is nothing
    /// to tell.
    ///
    /// # Errors
    /// As it says.
    fn fetch(&self, name: &str, watch: &Arc<Watch>) -> Result<(), Self::Error> {
        let _ = watch;
        self.find(name, &(Arc::new(|| true) as GoesOn)).map(drop)
    }

    /// Whether the system has the memory for it now; if not, which of those that are idle have to go first. They are
    /// given with their names, the least recently used first. It is asked again once they went.
    ///
    /// # Errors
    /// As it says, if it would not fit without them either.
    fn fit(
        &self,
        name: &str,
        found: &Self::Found,
        idle: &[(String, Arc<Self::Model>)],
    ) -> Result<Vec<String>, Self::Error> {
        let _ = (name, found, idle);
        Ok(Vec::new())
    }

    /// What is known of it before it is loaded, for whoever plans; `None` for what nobody can plan.
    fn candidate<'a>(&self, found: &'a Self::Found) -> Option<&'a Candidate> {
        let _ = found;
        None
    }

    /// Loads it: there is room for it now.
    ///
    /// # Errors
    /// As it says.
    fn load(&self, name: &str, found: Self::Found, goes_on: &GoesOn) -> Result<Self::Model, Self::Error>;

    /// Ends what runs, and gives its memory back.
    fn close(&self, model: &Self::Model);

    /// What it has done and how long that took, if it counts such things.
    fn stats(&self, model: &Self::Model) -> Option<Stats> {
        let _ = model;
        None
    }

    /// Whether an error only says that its caller gave up: then another one who waits goes on.
    fn is_giving_up(&self, error: &Self::Error) -> bool;

    /// Is told what happens. Must not take long.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// What happens to a model.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event<'a> {
    /// Somebody brings it.
    Loading {
        /// Its name.
        name: &'a str,
    },
    /// It can be used.
    Loaded {
        /// Its name.
        name: &'a str,
        /// How long loading took.
        seconds: f64,
    },
    /// It did not come.
    Failed {
        /// Its name.
        name: &'a str,
    },
    /// It is gone.
    Unloaded {
        /// Its name.
        name: &'a str,
        /// Why.
        why: Why<'a>,
    },
}

/// Why a model goes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Why<'a> {
    /// This one needs its room.
    Room(&'a str),
    /// Memory is short.
    Pressure(&'a Shortage),
    /// Nobody used it for as long as it was to stay, or there may be fewer now.
    Idle,
    /// Somebody said so.
    Asked,
}
