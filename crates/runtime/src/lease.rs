//! A model that is used, and stays for as long.

use std::ops::Deref;
use std::sync::Arc;

use crate::shared::Shared;
use crate::{Keep, Source};

/// A model in memory: it does not go until this is dropped.
pub struct Lease<S: Source> {
    pool: Arc<Shared<S>>,
    name: String,
    load: u64,
    model: Arc<S::Model>,
    keep: Option<Keep>,
}

impl<S: Source> Lease<S> {
    pub(crate) fn new(pool: Arc<Shared<S>>, name: &str, load: u64, model: Arc<S::Model>) -> Self {
        Self { pool, name: name.to_owned(), load, model, keep: None }
    }

    /// How long the model stays once nobody uses it, in place of what the limits say.
    pub fn keep(&mut self, keep: Keep) {
        self.keep = Some(keep);
    }

    /// The model, for longer than the lease: it may be closed by then.
    pub fn model(&self) -> &Arc<S::Model> {
        &self.model
    }
}

impl<S: Source> Deref for Lease<S> {
    type Target = S::Model;

    fn deref(&self) -> &S::Model {
        &self.model
    }
}

impl<S: Source> Drop for Lease<S> {
    fn drop(&mut self) {
        self.pool.release(&self.name, self.load, self.keep);
    }
}
