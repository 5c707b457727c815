//! What a plan depends on of what may be asked for.

use trillm_core::{LoadOptions, SessionOptions};

/// How a model is to be run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How its weights are loaded.
    pub load: &'a LoadOptions,
    /// Its cache and threads.
    pub session: &'a SessionOptions,
}
