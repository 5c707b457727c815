//! What a server serves: models by name.

use std::sync::Arc;

use trillm_core::ModelInfo;
use trillm_llm::Llm;
use trillm_runtime::plan::Plan;
use trillm_runtime::{GoesOn, Keep, Status, When};
use trillm_store::{Chat, Watch};

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

    /// Closes a model, as long as `goes_on` says so.
    ///
    /// # Errors
    /// If it is not here, or used for longer than that.
    fn unload(&self, name: &str, when: When, goes_on: &GoesOn) -> Result<(), Refusal>;

    /// Makes a model present without loading it, as long as `watch` says so.
    ///
    /// # Errors
    /// Why it does not come.
    fn fetch(&self, name: &str, watch: &Arc<Watch>) -> Result<(), Refusal>;

    /// Takes a model out of the store; who uses it goes on.
    ///
    /// # Errors
    /// If the store does not have it: files and folders of a user's are that user's.
    fn remove(&self, name: &str) -> Result<(), Refusal>;

    /// Gives what the store has as `from` the name `local:NAME`, too, to be used as `chat` says, and else as before.
    ///
    /// # Errors
    /// If the store does not have it, or cannot be written.
    fn derive(&self, from: &str, name: &str, chat: Chat) -> Result<(), Refusal>;

    /// A model that is here, to look at: looking is no use of it.
    fn look(&self, name: &str) -> Option<Arc<Llm>>;

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

    /// How long the model stays once nobody uses it, in place of what was set.
    fn keep(&mut self, keep: Keep);
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
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Available {
    /// What a client calls it.
    pub name: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it came here, in seconds since 1970; 0 if that is not known.
    pub created: u64,
    /// The digest of its files' digests and names, in hexadecimal, if the store has it.
    pub digest: Option<String>,
    /// What its files say, and whoever published it; `None` if they cannot be read.
    pub info: Option<ModelInfo>,
}
