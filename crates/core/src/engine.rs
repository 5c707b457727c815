//! The engine trait in three lifetimes.

use std::sync::Arc;

use crate::{Batch, Limits, LoadOptions, ModelFile, ModelInfo, Result, SessionOptions, Slot, Tokenizer};

/// A way of running models. Stateless: one value for each engine that is compiled in.
pub trait Engine: Send + Sync {
    /// The name used in options, errors and `info`.
    fn name(&self) -> &'static str;

    /// Whether this engine runs files of this format ([`ModelInfo::format`]).
    fn accepts(&self, format: &str) -> bool;

    /// Checks that a model of these files can be loaded and run so, before any weight is touched: for whoever plans, and for
    /// whoever would unload something for it. [`load`](Self::load) and [`session`](Model::session) refuse the same.
    ///
    /// # Errors
    /// What they would say of the options.
    fn check(&self, file: &ModelFile, load: &LoadOptions, session: &SessionOptions) -> Result<()>;

    /// Loads a model whose files were read and found sound.
    fn load(&self, file: ModelFile, options: &LoadOptions) -> Result<Arc<dyn Model>>;
}

/// Weights and vocabulary: immutable, shared by every thread.
pub trait Model: Send + Sync {
    /// What the file says, and what the engine decided.
    fn info(&self) -> &ModelInfo;

    /// The model's own tokenizer.
    fn tokenizer(&self) -> &dyn Tokenizer;

    /// The longest sequence that there are positions for, where they end: learned ones end with their table.
    fn positions(&self) -> Option<u32> {
        None
    }

    /// Makes a cache and a graph. Called on the thread that will step it, so a session need not be `Send`.
    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>>;
}

/// A key-value cache cut into slots, and the graph that fills it. One thread owns it from birth to death.
///
/// Implementers may rely on the scheduler calling [`check`](crate::Limits::check) first: slots, positions, token ids
/// and sums in a batch are within the limits.
pub trait Session {
    /// What a step may hold.
    fn limits(&self) -> Limits;

    /// Runs every span of `batch` once and lends the rows that were asked for.
    ///
    /// # Errors
    /// [`Error::CacheFull`](crate::Error::CacheFull) when the cells do not suffice: nothing has changed then. After any
    /// other error the slots in the batch hold an unknown number of positions: truncate them to zero.
    fn step(&mut self, batch: &Batch) -> Result<&dyn Rows>;

    /// Forgets positions `keep..` of `slot`; zero frees it, and always works.
    fn truncate(&mut self, slot: Slot, keep: u32) -> Result<()>;

    /// Makes the first `len` positions of `from` those of the empty slot `to`, without computing them, and where the
    /// cache allows it without copying.
    fn share(&mut self, from: Slot, to: Slot, len: u32) -> Result<()>;
}

/// The output of the last step: one row for every span that asked, in the order asked.
pub trait Rows {
    /// Row `index`: [`Limits::row`] numbers, raw and unsampled.
    fn row(&self, index: usize) -> &[f32];
}
