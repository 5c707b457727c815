//! What several tests use.

use std::path::Path;
use std::sync::Arc;

use trillm_candle::Candle;
use trillm_core::{Engine, LoadOptions, Model, Result};

/// Loads a folder or file as the facade does: as it was read.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Arc<dyn Model>> {
    Candle.load(trillm_formats::open(path).expect("a sound model"), options)
}
