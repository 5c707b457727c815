//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;

/// Small files that name the tokens that begin and end a text.
pub(crate) fn names(bos: &str, eos: &str) -> Sidecars {
    Sidecars { bos: Some(bos.into()), eos: Some(eos.into()), ..Sidecars::default() }
}

/// The ids of a text.
pub(crate) fn encode(tokenizer: &dyn Tokenizer, text: &str, add_special: bool, parse_special: bool) -> Vec<u32> {
    let mut out = Vec::new();
    tokenizer.encode(text, add_special, parse_special, &mut out).unwrap();
    out.into_iter().map(|token| token.0).collect()
}

/// The bytes of tokens, joined: the text that a stream of them shows.
pub(crate) fn detokenize(tokenizer: &dyn Tokenizer, ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.bytes(Token(id))).copied().collect();
    String::from_utf8(bytes).unwrap()
}
