//! Tokens that no word of a text may become, because only a template writes them.

use trillm_core::Token;

/// Whether a token is one of those, which are sorted.
pub(crate) fn bars(barred: &[Token], id: u32) -> bool {
    barred.binary_search(&Token(id)).is_ok()
}
