//! Tokens that stand for single bytes, on which the tokenizers fall back.

use std::collections::HashSet;

use super::algorithm::Algorithm;
use super::token::{self, TOKENS, TokenType, c_strings};
use crate::Result;
use crate::gguf::keys;

/// The byte that `<0x0A>` and its like spell.
pub fn byte_of(word: &[u8]) -> Option<u8> {
    let digits = word.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    // `from_str_radix` would take a sign, and with it `<0x-1>`.
    let digits = std::str::from_utf8(digits).ok()?;
    let hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| hex)
}

/// Checks that every token of the type "byte" spells one. llama.cpp reads the digits blindly.
pub(super) fn spelling(algorithm: Algorithm, words: &[&[u8]], types: &[TokenType]) -> Result<()> {
    for (index, (word, _)) in c_strings(words).zip(types).enumerate().filter(|(_, (_, kind))| **kind == TokenType::Byte)
    {
        match algorithm {
            // It aborts on these.
            Algorithm::Wpm => return Err(token::wrong(index, word, "a byte token", "none in a WordPiece vocabulary")),
            // It does not look at types.
            Algorithm::Rwkv => return Ok(()),
            _ if byte_of(word).is_none() => {
                return Err(token::wrong(index, word, "a byte token", "two hexadecimal digits, as in <0x0A>"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that all 256 bytes have a token, and none of them the number zero, which PLaMo-2 takes for "not set".
pub(super) fn complete(words: &[&[u8]], types: &[TokenType]) -> Result<()> {
    let found = c_strings(words).zip(types).skip(1).filter(|(_, kind)| **kind == TokenType::Byte);
    let found: HashSet<u8> = found.filter_map(|(word, _)| byte_of(word)).collect();
    match (0..=u8::MAX).find(|byte| !found.contains(byte)) {
        Some(byte) => Err(keys::wrong(TOKENS, "no token for a byte", format!("a byte token <0x{byte:02X}>"))),
        None => Ok(()),
    }
}

/// Checks that every byte that begins a token is a token itself. Otherwise the search for the longest match ends
/// without one, starts over from the first byte of the text, and never ends.
pub(super) fn rwkv(words: &[&[u8]]) -> Result<()> {
    let (mut first, mut single) = ([None; 256], [false; 256]);
    for (index, word) in c_strings(words).enumerate() {
        match unescape(word)[..] {
            [] => {}
            [byte] => single[usize::from(byte)] = true,
            [byte, ..] => first[usize::from(byte)] = Some(index),
        }
    }
    match first.iter().zip(single).find_map(|(first, single)| first.filter(|_| !single)) {
        Some(index) => {
            let expected = "a token for its first byte alone";
            Err(token::wrong(index, words[index], "a token whose beginning is none", expected))
        }
        None => Ok(()),
    }
}

/// The bytes that a token of RWKV stands for, as `llama_unescape_rwkv_token` finds them: `\t`, `\n`, `\r`, `\x0a`.
pub fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.iter().copied();
    let digit = |c: u8| if c >= b'a' { c.wrapping_sub(b'a').wrapping_add(10) } else { c.wrapping_sub(b'0') };
    while let Some(byte) = rest.next() {
        match (byte, byte == b'\\') {
            (_, false) => bytes.push(byte),
            (_, true) => match rest.next() {
                Some(b't') => bytes.push(b'\t'),
                Some(b'n') => bytes.push(b'\n'),
                Some(b'r') => bytes.push(b'\r'),
                Some(b'x') => {
                    if let (Some(high), Some(low)) = (rest.next(), rest.next()) {
                        bytes.push((digit(high) << 4).wrapping_add(digit(low)));
                    }
                }
                Some(other) => bytes.push(other),
                None => {}
            },
        }
    }
    bytes
}
