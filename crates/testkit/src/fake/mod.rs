//! An engine without a model.
//!
//! What it predicts is a pure function of all tokens that a slot's cells hold, as with a real model: any error in
//! positions, prefixes or sharing changes every token after it. It counts its cells itself and is strict: a batch
//! outside the limits is an error here, where a real engine's library might abort.

mod cache;
mod gate;
mod model;
mod says;
mod session;
mod tokenizer;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use trillm_core::{Batch, Engine, Error, LoadOptions, Model, ModelInfo, Result};

pub use gate::Gate;
pub use says::Says;
pub use tokenizer::{BOS, EOS, IM_END, IM_START, PAD, TOOL, VOCABULARY};

use model::FakeModel;

/// Every batch that was stepped, in order.
pub type Record = Arc<Mutex<Vec<Batch>>>;

/// What goes wrong in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// [`Error::Engine`], with the slots of the batch left half filled.
    Error,
    /// A panic, with the slots of the batch left half filled.
    Panic,
    /// Rows of nothing but NaN.
    Nan,
    /// [`Error::CacheFull`] although cells are free, as from an engine that needs several for a token.
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

    /// A model, without any file.
    pub fn load_model(&self) -> Arc<dyn Model> {
        Arc::new(FakeModel::new(self.clone(), ModelInfo::default(), &LoadOptions::default()))
    }
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn accepts(&self, format: &str) -> bool {
        format == Self::NAME
    }

    fn load(&self, path: &Path, info: ModelInfo, options: &LoadOptions) -> Result<Arc<dyn Model>> {
        const PARTS: u8 = 10;
        for part in 0..=PARTS {
            let goes_on = options.progress.as_ref().is_none_or(|progress| progress(f32::from(part) / f32::from(PARTS)));
            if !goes_on {
                return Err(Error::Cancelled);
            }
            if part < PARTS {
                wait(self.load_time / u32::from(PARTS));
            }
        }
        let info = ModelInfo { path: path.to_owned(), ..info };
        Ok(Arc::new(FakeModel::new(self.clone(), info, options)))
    }
}

/// Waits to within a microsecond: it sleeps as long as a late wake-up does no harm, and spins for the rest.
fn wait(time: Duration) {
    const LATE: Duration = Duration::from_micros(200);
    if time.is_zero() {
        return;
    }
    let end = Instant::now() + time;
    thread::sleep(time.saturating_sub(LATE));
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
