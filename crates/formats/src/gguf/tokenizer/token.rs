//! One token of the list in a file: its spelling, its type, and what to say if it is wrong.

use crate::Error;
use crate::gguf::header::excerpt;
use crate::gguf::keys;

/// The key of the list.
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";

/// What a token is, numbered as in files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of llama.cpp")]
pub enum TokenType {
    Undefined = 0,
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// The error that one token is not as it should be.
pub(super) fn wrong(index: usize, word: &[u8], found: &str, expected: &str) -> Error {
    keys::wrong(TOKENS, format_args!("{found} at index {index}: {}", excerpt(word)), expected)
}

/// The words as C strings, which end at a zero byte: so llama.cpp sees them.
pub(super) fn c_strings<'a>(words: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    words.iter().map(|word| word.split(|&byte| byte == 0).next().unwrap_or_default())
}
