//! What the store does not have is fetched by somebody who can: there is no network here.

use std::{ops::ControlFlow, sync::Arc};

use crate::{Digest, Error, Held, Pinned, Reference, Result, Store};

/// What is being done to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Another process fetches the same model.
    Waiting,
    /// Its bytes come.
    Downloading,
    /// What was on this machine is read again.
    Verifying,
    /// It is taken out of an archive.
    Unpacking,
}

/// One moment of one file on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// The file, or the reference that is waited for.
    pub file: String,
    /// Bytes that are there, those of earlier attempts included.
    pub transferred: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
    /// Bytes per second, lately.
    pub speed: f64,
}

/// Is told how far a download is, some ten times a second; a `Break` ends it, unless others wait for it, too.
pub type Watch = dyn Fn(&Progress) -> ControlFlow<()> + Send + Sync;

/// Who can make present what is not there.
pub trait Fetch {
    /// What can go wrong, the store's own errors among it.
    type Error: From<Error>;

    /// Puts into `store` what `wanted` stands for, which is not there or damaged, and returns the id of the generation
    /// that came.
    ///
    /// # Errors
    /// As it says; also when `watch` ended it.
    fn fetch(&self, store: &Store, wanted: &Pinned, watch: &Arc<Watch>) -> Result<Digest, Self::Error>;
}

/// Fetches nothing: for programs that use what is there.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

impl Fetch for Offline {
    type Error = Error;

    fn fetch(&self, store: &Store, wanted: &Pinned, _: &Arc<Watch>) -> Result<Digest> {
        let which = wanted.generation.map(|id| id.to_string());
        // What is damaged says so.
        store.find(&wanted.reference.to_string(), which.as_deref()).map(|there| there.model.id())
    }
}

impl Store {
    /// Makes a model present, and holds it: what is not there, or damaged, is fetched. A path is in no store.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what can be fetched from nowhere, [`Error::OtherGeneration`], and those of `fetch`.
    pub fn present<F: Fetch + ?Sized>(&self, wanted: &Pinned, fetch: &F, watch: &Arc<Watch>) -> Result<Held, F::Error> {
        let reference = wanted.reference.to_string();
        let which = wanted.generation.map(|id| id.to_string());
        match self.hold(&reference, which.as_deref()) {
            Ok(Some(held)) => return Ok(held),
            Ok(None) | Err(Error::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let came = match wanted.reference {
            Reference::Local(_) | Reference::Path(_) => Offline.fetch(self, wanted, watch)?,
            _ => fetch.fetch(self, wanted, watch)?,
        };
        let held = self.hold(&reference, which.as_deref())?;
        Ok(held.ok_or(match wanted.generation {
            Some(expected) => {
                Error::OtherGeneration { reference, expected: expected.to_string(), found: came.to_string() }
            }
            None => Error::NotFound { reference },
        })?)
    }
}
