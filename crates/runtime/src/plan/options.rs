//! What a plan depends on of what may be asked for.

use trillm_core::{LoadOptions, SessionOptions};

/// How a model is to be run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How its weights are loaded.
    pub load: &'a LoadOptions,
    /// Its cache and threads.
    pub session: &'a SessionOptions,
    /// Bytes of the LoRA adapters' weights: [`adapter_bytes`](super::adapter_bytes).
    pub adapters: u64,
    /// Whether the engine would run the model so with keys and values in 8 bits, too. Default false.
    pub narrows: bool,
}

impl<'a> Options<'a> {
    /// Without adapters.
    pub fn new(load: &'a LoadOptions, session: &'a SessionOptions) -> Self {
        Self { load, session, adapters: 0, narrows: false }
    }
}
