//! The lists that are as long as the vocabulary: words, scores, types; and merges.

use std::borrow::Cow;
use std::collections::HashSet;

use super::algorithm::Algorithm;
use super::pre::{Pre, Rule};
use super::token::{self, TOKENS, TokenType, c_strings};
use crate::gguf::header::excerpt;
use crate::gguf::value::ValueType;
use crate::gguf::{Gguf, keys};
use crate::{Error, Result};

const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";

/// The longest token. llama.cpp walks some of them by recursion, a stack frame for each byte.
const LONGEST: usize = 2048;

/// A bound on the squares of all lengths: for damaged tokens llama.cpp makes texts of that size. Real ones reach 2^24.
const SQUARES: u64 = 1 << 29;

/// Checks words, scores and types, and returns the type of each word: a normal token where the file says none.
pub(super) fn check(gguf: &Gguf<'_>, words: &[&[u8]]) -> Result<Vec<TokenType>> {
    if words.is_empty() {
        return Err(keys::wrong(TOKENS, "an empty array", "at least one token"));
    }
    // llama.cpp keeps tokens in a map as well, asserts that both are of one length, and aborts on a duplicate.
    let mut seen = HashSet::with_capacity(words.len());
    let mut squares = 0;
    for (index, word) in spellings(words).enumerate() {
        if word.len() > LONGEST {
            let found = format!("a token of {} bytes", word.len());
            return Err(token::wrong(index, &word, &found, &format!("at most {LONGEST} bytes")));
        }
        squares += (word.len() as u64).pow(2);
        if let Some(word) = seen.replace(word) {
            return Err(token::wrong(index, &word, "a token that was there before", "distinct tokens"));
        }
    }
    if squares > SQUARES {
        return Err(keys::wrong(TOKENS, "many very long tokens", "a vocabulary of words and pieces of words"));
    }
    types(gguf, words.len())
}

/// How tokens are spelled: as C strings, with a name of llama.cpp's for those that are empty.
pub(super) fn spellings<'a>(words: &[&'a [u8]]) -> impl Iterator<Item = Cow<'a, [u8]>> {
    c_strings(words).enumerate().map(|(index, word)| match word {
        [] => Cow::Owned(format!("[EMPTY_{index}]").into_bytes()),
        word => Cow::Borrowed(word),
    })
}

/// The score of each token; nothing if there are none.
pub(super) fn scores(gguf: &Gguf<'_>, tokens: usize) -> Result<Vec<f32>> {
    let expected = "an array of numbers (f32 or i32), one for each token";
    let Some(scores) = gguf.array(SCORES, &[ValueType::F32, ValueType::I32], expected)? else { return Ok(Vec::new()) };
    if scores.len() != tokens {
        return Err(keys::wrong(
            SCORES,
            format_args!("{} numbers", scores.len()),
            format!("{tokens}, one for each token"),
        ));
    }
    let scores: Vec<f32> = match scores.kind() {
        ValueType::F32 => scores.words().map(f32::from_le_bytes).collect(),
        _ => scores.words().map(|word| i32::from_le_bytes(word) as f32).collect(),
    };
    // Tokens are sorted by score, which must have an order.
    if scores.iter().any(|score| score.is_nan()) {
        return Err(keys::wrong(SCORES, "a NaN", "numbers"));
    }
    Ok(scores)
}

fn types(gguf: &Gguf<'_>, tokens: usize) -> Result<Vec<TokenType>> {
    let expected = "an array of numbers (i32), one for each token";
    let Some(types) = gguf.array(TYPES, &[ValueType::I32], expected)? else {
        return Ok(vec![TokenType::Normal; tokens]);
    };
    if types.len() != tokens {
        return Err(keys::wrong(
            TYPES,
            format_args!("{} numbers", types.len()),
            format!("{tokens}, one for each token"),
        ));
    }
    let named = |(index, word)| match u32::from_le_bytes(word) {
        0 => Ok(TokenType::Undefined),
        1 => Ok(TokenType::Normal),
        2 => Ok(TokenType::Unknown),
        3 => Ok(TokenType::Control),
        4 => Ok(TokenType::UserDefined),
        5 => Ok(TokenType::Unused),
        6 => Ok(TokenType::Byte),
        other => Err(keys::wrong(TYPES, format_args!("{other} at index {index}"), "0 to 6")),
    };
    types.words().enumerate().map(named).collect()
}

/// Reads merges, which byte-pair encoding cannot do without: two parts with a space between them.
pub(super) fn merges<'g>(gguf: &'g Gguf<'_>, algorithm: Algorithm, pre: Option<Pre>) -> Result<&'g [&'g [u8]]> {
    let Some(merges) = gguf.strings(MERGES)? else {
        let without = pre.is_some_and(|pre| pre.rule == Rule::KimiK2);
        return match algorithm {
            Algorithm::Bpe if !without => {
                Err(Error::MissingKey { key: MERGES.into(), expected: "an array of strings".into() })
            }
            _ => Ok(&[]),
        };
    };
    for (index, merge) in merges.iter().enumerate() {
        let space = merge.iter().skip(1).position(|&byte| byte == b' ');
        if space.is_none_or(|space| space + 2 >= merge.len()) {
            let found = format_args!("{} at index {index}", excerpt(merge));
            return Err(keys::wrong(MERGES, found, "two parts and a space between them"));
        }
    }
    Ok(merges)
}
