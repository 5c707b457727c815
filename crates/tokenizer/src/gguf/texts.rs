//! Which tokens of a GGUF vocabulary words become where they are matched, not merged.

use trillm_formats::gguf::{TokenType, Vocabulary as File};

use crate::plain::is_plain;

/// Whether a token may come out of a text once the tokens that are found by their spelling were taken out of it: where a
/// user-defined one is left, it was forbidden.
pub(super) fn is_in_texts(file: &File<'_>, id: usize) -> bool {
    let is_found_before = matches!(file.types[id], TokenType::Control | TokenType::Unknown | TokenType::UserDefined);
    !is_found_before || str::from_utf8(&file.words[id]).is_ok_and(is_plain)
}
