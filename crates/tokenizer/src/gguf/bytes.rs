//! What each token of a GGUF vocabulary is in a text.

use trillm_formats::gguf::{byte_of, unescape};

use super::attributes::Attributes;
use crate::alphabet;
use crate::table::Table;
use crate::words::SPACE;

/// How normal tokens are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// With `▁` for spaces.
    Spaces,
    /// In GPT-2's alphabet.
    Alphabet,
    /// As they are.
    Plain,
    /// With escapes such as `\n` and `\x0a`.
    Escapes,
}

/// The bytes of all tokens.
pub(super) fn table<'a>(
    words: impl ExactSizeIterator<Item = &'a [u8]>,
    attributes: &[Attributes],
    spelling: Spelling,
) -> Table {
    let mut table = Table::with_capacity(words.len(), 8 * words.len());
    for (word, &attributes) in words.zip(attributes) {
        table.push(|out| write(word, attributes, spelling, out));
    }
    table.shrink();
    table
}

fn write(word: &[u8], attributes: Attributes, spelling: Spelling, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(word);
    match (spelling, text) {
        _ if attributes.is_hidden() => {}
        (Spelling::Escapes, _) => out.extend(unescape(word)),
        _ if attributes.user_defined => out.extend_from_slice(word),
        _ if attributes.byte => out.extend(byte_of(word)),
        (Spelling::Plain, _) => out.extend_from_slice(word),
        _ if !attributes.normal => {}
        (Spelling::Alphabet, Ok(text)) => alphabet::write(text, out),
        (Spelling::Spaces, Ok(text)) => out.extend_from_slice(text.replace(SPACE, " ").as_bytes()),
        (_, Err(_)) => out.extend_from_slice(word),
    }
}
