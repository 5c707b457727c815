//! What several tests use.

use std::path::Path;
use std::sync::Arc;

use trillm_candle::Candle;
use trillm_core::{Engine, LoadOptions, Model, Result};

/// Loads a folder or file as the facade does: what `inspect` found sound.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Arc<dyn Model>> {
    let info = trillm_formats::inspect(path).expect("a sound model");
    Candle.load(path, info, options)
}
