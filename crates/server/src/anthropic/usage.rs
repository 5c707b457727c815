//! How many tokens a request took.

use serde_json::{Value, json};
use trillm_core::Usage;

/// As Anthropic's clients read it: what came from a cache is not among `input_tokens`. Before the first token nothing is
/// known of a cache.
pub(super) fn used(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}
