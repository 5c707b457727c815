//! Tokenizers: what `llama_vocab` needs so that it neither aborts on loading nor throws into Rust on use.

mod bytes;
mod charsmap;
mod special;
mod tokens;

use std::collections::HashSet;

use super::Gguf;
use super::header::excerpt;
use super::keys;
use crate::{Error, Result};

/// The vocabulary of a file that passed.
pub(crate) struct Vocabulary {
    pub(crate) tokens: u32,
    pub(crate) notes: Vec<String>,
}

/// The algorithms, as `tokenizer.ggml.model` names them, by llama.cpp's names for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    /// SentencePiece with byte-pair merges by score: `llama`.
    Spm,
    /// Byte-level byte-pair encoding: `gpt2` and others.
    Bpe,
    /// `WordPiece`: `bert`.
    Wpm,
    /// Unigram: `t5`.
    Ugm,
    /// Longest match: `rwkv`.
    Rwkv,
    /// `plamo2`.
    Plamo2,
}

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";

/// Reads and checks the tokenizer of a file.
pub(crate) fn read(gguf: &Gguf<'_>, architecture: &str) -> Result<Vocabulary> {
    let missing = |key: &str, expected: &str| Error::MissingKey { key: key.into(), expected: expected.into() };
    let model = gguf.text(MODEL)?.ok_or_else(|| missing(MODEL, "the name of a tokenizer"))?;
    let algorithm = match model {
        "llama" => Algorithm::Spm,
        "gpt2" | "gemma4" | "hybriddna" | "whitespace" => Algorithm::Bpe,
        "bert" => Algorithm::Wpm,
        "t5" => Algorithm::Ugm,
        "rwkv" => Algorithm::Rwkv,
        "plamo2" => Algorithm::Plamo2,
        // llama.cpp loads a model without a tokenizer, and aborts when asked to tokenise.
        _ => {
            let expected = "llama, gpt2, bert, t5, rwkv, plamo2, gemma4, hybriddna or whitespace";
            return Err(keys::wrong(MODEL, format_args!("{model:?}"), expected));
        }
    };
    if !super::architecture::is_known(architecture) {
        return Err(Error::Architecture { name: architecture.into() });
    }
    let words = gguf.strings(TOKENS)?.ok_or_else(|| missing(TOKENS, "an array of strings"))?;
    let types = tokens::check(gguf, words)?;
    let mut notes = Vec::new();
    tokens::merges(gguf, algorithm, model)?;
    match algorithm {
        Algorithm::Spm => bytes::covered(words)?,
        Algorithm::Plamo2 => bytes::complete(words, &types)?,
        Algorithm::Rwkv => bytes::rwkv(words)?,
        Algorithm::Ugm => charsmap::check(gguf)?,
        Algorithm::Bpe | Algorithm::Wpm => {}
    }
    bytes::spelling(algorithm, words, &types)?;
    special::check(gguf, algorithm, model, words.len(), &mut notes)?;
    Ok(Vocabulary { tokens: words.len() as u32, notes })
}

/// The error that one token is not as it should be.
fn wrong_token(index: usize, word: &[u8], found: &str, expected: &str) -> Error {
    keys::wrong(TOKENS, format_args!("{found} at index {index}: {}", excerpt(word)), expected)
}

/// The words as C strings, which end at a zero byte: so llama.cpp sees them.
fn c_strings<'a>(words: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    words.iter().map(|word| word.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// The same as a set.
fn set<'a>(words: &[&'a [u8]]) -> HashSet<&'a [u8]> {
    c_strings(words).collect()
}
