//! LoRA adapters, as far as a plan depends on them.

use trillm_core::LoadOptions;
use trillm_formats::{Result, gguf};

/// Bytes of the weights of all adapters that a model is to be loaded with, by their headers.
///
/// # Errors
/// What loading says of a file that is not there, or is no adapter.
pub fn adapter_bytes(load: &LoadOptions) -> Result<u64> {
    load.lora.iter().try_fold(0u64, |sum, (path, _)| Ok(sum.saturating_add(gguf::check_adapter(path)?)))
}
