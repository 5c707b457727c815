//! Why there is no room for a model.

use trillm_core::{Class, Coded};

/// What can go wrong between models.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It does not fit, whichever models go.
    #[error("{name} takes {needed} bytes, and {free} of the {limit} for all models are not pinned")]
    TooLarge {
        /// The model.
        name: String,
        /// What it takes.
        needed: u64,
        /// What it could have.
        free: u64,
        /// What all models may have.
        limit: u64,
    },
    /// All that may be there at once are pinned.
    #[error("{name} has no room: all {limit} models that may be loaded at once are pinned")]
    AllPinned {
        /// The model.
        name: String,
        /// How many may be there.
        limit: usize,
    },
    /// Those that are there are used, and none of them ended in time.
    #[error("{name} had no room for {seconds} s: all models that are loaded are in use")]
    AllBusy {
        /// The model.
        name: String,
        /// How long it waited.
        seconds: f64,
    },
    /// It was to go, and those who use it did not end in time.
    #[error("{name} is in use by {uses}, and was for {seconds} s")]
    Busy {
        /// The model.
        name: String,
        /// How many use it.
        uses: usize,
        /// How long it was waited for.
        seconds: f64,
    },
    /// It is not loaded.
    #[error("{name} is not loaded")]
    NotLoaded {
        /// The model.
        name: String,
    },
    /// Whoever asked gave up.
    #[error("nobody waits for {name} any more")]
    Cancelled {
        /// The model.
        name: String,
    },
    /// The pool is closed.
    #[error("the router is closed")]
    Closed,
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::TooLarge { .. } => (Class::OutOfMemory, "cache_too_small"),
            Self::AllPinned { .. } => (Class::Overloaded, "all_pinned"),
            Self::AllBusy { .. } => (Class::Overloaded, "all_busy"),
            Self::Busy { .. } => (Class::Overloaded, "busy"),
            Self::NotLoaded { .. } => (Class::NotFound, "not_loaded"),
            Self::Cancelled { .. } => (Class::Cancelled, "cancelled"),
            Self::Closed => (Class::Closed, "router_closed"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { .. } => "give `cache_size` more, a smaller `context`, or unpin a model".into(),
            Self::AllPinned { .. } => "unpin one of them, or raise `max_models_loaded`".into(),
            Self::AllBusy { .. } => "end the streams of another model, or raise `max_models_loaded`".into(),
            Self::Busy { .. } => {
                "end its streams, wait for longer (`wait`), or unload it first (`unload_model` with `at_once=True`)"
                    .into()
            }
            Self::NotLoaded { .. } => "load it, or see which ones are: `loaded()`".into(),
            Self::Cancelled { .. } | Self::Closed => return None,
        })
    }
}
