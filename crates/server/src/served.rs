//! What a server serves: models by name.

use std::sync::Arc;

use trillm_llm::Llm;
use trillm_runtime::plan::Plan;
use trillm_runtime::{GoesOn, Status};

use crate::Refusal;

/// Models by name, whoever brings them. What may take long is called where it may wait.
pub trait Served: Send + Sync + 'static {
    /// The one name of the model that a client calls so.
    ///
    /// # Errors
    /// For a name that means nothing, and for a path: a client does not choose what files a server opens.
    fn name(&self, given: &str) -> Result<String, Refusal>;

    /// A model to use, if it is here; nobody waits.
    fn lease_now(&self, name: &str) -> Option<Box<dyn InUse>>;

    /// Whether a model is on this machine, so that it needs no download.
    fn is_here(&self, name: &str) -> bool;

    /// A model to use, which is brought if it is not here, as long as `goes_on` says so.
    ///
    /// # Errors
    /// Why it does not come.
    fn lease(&self, name: &str, goes_on: &GoesOn) -> Result<Box<dyn InUse>, Refusal>;

    /// Closes a model once nobody uses it, as long as `goes_on` says so.
    ///
    /// # Errors
    /// If it is not here.
    fn unload(&self, name: &str, goes_on: &GoesOn) -> Result<(), Refusal>;

    /// Ends what runs with a model, and closes it, as long as `goes_on` says so.
    ///
    /// # Errors
    /// If it is not here.
    fn close(&self, name: &str, goes_on: &GoesOn) -> Result<(), Refusal>;

    /// Keeps a model that is here from going, or lets it go as others do.
    ///
    /// # Errors
    /// If it is not here.
    fn pin(&self, name: &str, pinned: bool) -> Result<(), Refusal>;

    /// What loading a model that is on this machine would take now.
    ///
    /// # Errors
    /// If it is not on this machine, or is none.
    fn plan(&self, name: &str, goes_on: &GoesOn) -> Result<Plan, Refusal>;

    /// What is in memory, or on its way.
    fn status(&self) -> Vec<Status>;

    /// All models on this machine.
    ///
    /// # Errors
    /// Why the store cannot be read.
    fn available(&self) -> Result<Vec<Available>, Refusal>;
}

/// A model that is used; it stays until this is dropped.
pub trait InUse: Send + Sync {
    /// The model.
    fn llm(&self) -> &Llm;
}

/// A model of a pool that is loaded.
pub trait Loaded: Send + Sync {
    /// It, unless it was closed.
    fn llm(&self) -> Option<Arc<Llm>>;
}

impl Loaded for trillm_runtime::Loaded {
    fn llm(&self) -> Option<Arc<Llm>> {
        Some(self.llm().clone())
    }
}

/// A model on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Available {
    /// What a client calls it.
    pub name: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it came here, in seconds since 1970; 0 if that is not known.
    pub created: u64,
}
