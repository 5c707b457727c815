//! How a fake engine behaves.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trillm_core::Batch;

use super::gate::Gate;
use super::says::Says;
use super::tokenizer::VOCABULARY;

/// Every batch that was stepped, in order.
pub type Record = Arc<Mutex<Vec<Batch>>>;

/// What goes wrong in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// [`Error::Engine`](trillm_core::Error::Engine), with the slots of the batch left half filled.
    Error,
    /// A panic, with the slots of the batch left half filled.
    Panic,
    /// Rows of nothing but NaN.
    Nan,
    /// [`Error::CacheFull`](trillm_core::Error::CacheFull) although cells are free, as from an engine that needs several for a token.
    CacheFull,
}

/// How the fake engine and its models behave: `Fake { cells: Some(64), ..Fake::default() }`.
#[derive(Clone, Debug)]
pub struct Fake {
    /// What its models say.
    pub says: Says,
    /// Time a step takes, whatever is in it.
    pub step_time: Duration,
    /// Time a step takes in addition for each of its tokens.
    pub token_time: Duration,
    /// Time a load takes.
    pub load_time: Duration,
    /// Size of the vocabulary, at least [`VOCABULARY`]. Ids beyond that have no text and are never predicted.
    pub vocabulary: u32,
    /// Width of an embedding.
    pub width: u32,
    /// The trained context, and so a session's cells unless its options say otherwise.
    pub context: u32,
    /// Slots of a session; `None`: what its options say.
    pub slots: Option<u32>,
    /// Cells of a session; `None`: as many as its context.
    pub cells: Option<u32>,
    /// Whether prefixes can be kept and shared.
    pub reuses_prefix: bool,
    /// The model's chat template.
    pub chat_template: Option<String>,
    /// What goes wrong, and in which steps. Steps are counted from zero, over all sessions of a model.
    pub faults: Vec<(Range<u64>, Fault)>,
    /// How many sessions a model can make before it fails to.
    pub sessions: u64,
    /// Whether it panics where it fails to make one.
    pub panics: bool,
    /// Where to note every batch; `None`, so that a step allocates nothing, by default.
    pub record: Option<Record>,
    /// What a step waits for.
    pub gate: Option<Gate>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            says: Says::Letters,
            step_time: Duration::ZERO,
            token_time: Duration::ZERO,
            load_time: Duration::ZERO,
            vocabulary: VOCABULARY,
            width: 16,
            context: 4096,
            slots: None,
            cells: None,
            reuses_prefix: true,
            chat_template: Some(Fake::CHAT_TEMPLATE.into()),
            faults: Vec::new(),
            sessions: u64::MAX,
            panics: false,
            record: None,
            gate: None,
        }
    }
}

impl Fake {
    /// The engine's name, and the format of its files.
    pub const NAME: &'static str = "fake";

    /// `ChatML`, as its models ask for it.
    pub const CHAT_TEMPLATE: &'static str = crate::CHAT_TEMPLATE;

    /// One that says `text` and ends.
    pub fn saying(text: &str) -> Self {
        Self { says: Says::Text(text.into()), ..Self::default() }
    }

    /// Goes wrong in step `step`.
    #[must_use]
    pub fn with_fault(mut self, step: u64, fault: Fault) -> Self {
        self.faults.push((step..step + 1, fault));
        self
    }

    /// Notes every batch, in the record returned.
    pub fn recorded(mut self) -> (Self, Record) {
        let record = Record::default();
        self.record = Some(record.clone());
        (self, record)
    }

    /// Steps only as the gate returned allows.
    pub fn gated(mut self) -> (Self, Gate) {
        let gate = Gate::default();
        self.gate = Some(gate.clone());
        (self, gate)
    }
}
