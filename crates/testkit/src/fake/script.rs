//! What a model does in each of its steps.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use trillm_core::Error;

use super::settings::{Fake, Fault};
use super::tokenizer::FakeTokenizer;

/// What a model and its sessions share.
pub(super) struct Script {
    pub(super) fake: Fake,
    pub(super) tokenizer: FakeTokenizer,
    steps: AtomicU64,
}

impl Script {
    pub(super) fn new(fake: Fake) -> Self {
        let tokenizer = FakeTokenizer::new(fake.vocabulary);
        Self { fake, tokenizer, steps: AtomicU64::new(0) }
    }

    /// Counts a step, and says what goes wrong in it.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        let step = self.steps.fetch_add(1, Relaxed);
        self.fake.faults.iter().find(|(steps, _)| steps.contains(&step)).map(|&(_, fault)| fault)
    }
}

/// What the fake engine says when it was told to fail.
pub(super) fn failure(reason: &str) -> Error {
    Error::Engine { engine: Fake::NAME, reason: reason.into(), log: vec!["told to".into()] }
}
