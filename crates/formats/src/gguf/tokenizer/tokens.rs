//! The lists that are as long as the vocabulary: words, scores, types; and merges.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Algorithm, TOKENS, c_strings, wrong_token};
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

/// Checks words, scores and types, and returns the type of each word: 1, a normal token, where the file says none.
pub(super) fn check(gguf: &Gguf<'_>, words: &[&[u8]]) -> Result<Vec<u32>> {
    if words.is_empty() {
        return Err(keys::wrong(TOKENS, "an empty array", "at least one token"));
    }
    // llama.cpp keeps tokens in a map as well, asserts that both are of one length, and aborts on a duplicate.
    let mut seen = HashSet::with_capacity(words.len());
    let mut squares = 0;
    for (index, word) in c_strings(words).enumerate() {
        if word.len() > LONGEST {
            let found = format!("a token of {} bytes", word.len());
            return Err(wrong_token(index, word, &found, &format!("at most {LONGEST} bytes")));
        }
        squares += (word.len() as u64).pow(2);
        let word = match word {
            [] => Cow::Owned(format!("[EMPTY_{index}]").into_bytes()),
            word => Cow::Borrowed(word),
        };
        if let Some(word) = seen.replace(word) {
            return Err(wrong_token(index, &word, "a token that was there before", "distinct tokens"));
        }
    }
    if squares > SQUARES {
        return Err(keys::wrong(TOKENS, "many very long tokens", "a vocabulary of words and pieces of words"));
    }
    scores(gguf, words.len())?;
    types(gguf, words.len())
}

fn scores(gguf: &Gguf<'_>, tokens: usize) -> Result<()> {
    let expected = "an array of numbers (f32 or i32), one for each token";
    let Some(scores) = gguf.array(SCORES, &[ValueType::F32, ValueType::I32], expected)? else { return Ok(()) };
    if scores.len() != tokens {
        return Err(keys::wrong(
            SCORES,
            format_args!("{} numbers", scores.len()),
            format!("{tokens}, one for each token"),
        ));
    }
    // Tokens are sorted by score, which must have an order.
    if scores.kind() == ValueType::F32 && scores.words().map(f32::from_le_bytes).any(f32::is_nan) {
        return Err(keys::wrong(SCORES, "a NaN", "numbers"));
    }
    Ok(())
}

fn types(gguf: &Gguf<'_>, tokens: usize) -> Result<Vec<u32>> {
    let expected = "an array of numbers (i32), one for each token";
    let Some(types) = gguf.array(TYPES, &[ValueType::I32], expected)? else { return Ok(vec![1; tokens]) };
    if types.len() != tokens {
        return Err(keys::wrong(
            TYPES,
            format_args!("{} numbers", types.len()),
            format!("{tokens}, one for each token"),
        ));
    }
    let types: Vec<u32> = types.words().map(u32::from_le_bytes).collect();
    match types.iter().position(|&kind| kind > 6) {
        Some(index) => Err(keys::wrong(TYPES, format_args!("{} at index {index}", types[index]), "0 to 6")),
        None => Ok(types),
    }
}

/// Checks merges, which byte-pair encoding cannot do without: two parts with a space between them.
pub(super) fn merges(gguf: &Gguf<'_>, algorithm: Algorithm, model: &str) -> Result<()> {
    let Some(merges) = gguf.strings(MERGES)? else {
        let without = model == "gpt2" && gguf.text("tokenizer.ggml.pre")? == Some("kimi-k2");
        return match algorithm {
            Algorithm::Bpe if !without => {
                Err(Error::MissingKey { key: MERGES.into(), expected: "an array of strings".into() })
            }
            _ => Ok(()),
        };
    };
    for (index, merge) in merges.iter().enumerate() {
        let space = merge.iter().skip(1).position(|&byte| byte == b' ');
        if space.is_none_or(|space| space + 2 >= merge.len()) {
            let found = format_args!("{} at index {index}", excerpt(merge));
            return Err(keys::wrong(MERGES, found, "two parts and a space between them"));
        }
    }
    Ok(())
}
