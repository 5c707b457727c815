//! Tokenizers: what `llama_vocab` needs so that it neither aborts on loading nor throws into Rust on use.

mod algorithm;
mod bytes;
mod charsmap;
mod pre;
mod special;
mod strips;
mod token;
mod tokens;

use std::borrow::Cow;

pub use algorithm::Algorithm;
pub use bytes::{byte_of, unescape};
pub use pre::{Pre, Rule};
pub use special::Special;
pub use strips::Strips;
pub use token::TokenType;

use super::Gguf;
use super::keys;
use crate::{Error, Result};
use token::TOKENS;

/// The tokenizer of a file, found sound. It borrows what it can from the file's header.
#[derive(Debug)]
pub struct Vocabulary<'a> {
    /// How words become tokens.
    pub algorithm: Algorithm,
    /// `tokenizer.ggml.model`: a variant of the algorithm.
    pub model: &'a str,
    /// How byte-pair encoding cuts texts into words; nothing for other algorithms.
    pub pre: Option<Pre>,
    /// `tokenizer.ggml.pre` as it is in the file.
    pub pre_name: &'a str,
    /// How each token is spelled: never empty, and none twice.
    pub words: Vec<Cow<'a, [u8]>>,
    /// The type of each token.
    pub types: Vec<TokenType>,
    /// The score of each token; empty if there are none.
    pub scores: Vec<f32>,
    /// Pairs of byte-pair encoding, the best first: two parts and a space between.
    pub merges: Vec<&'a [u8]>,
    /// Tokens with a part to play.
    pub special: Special,
    /// Whether a space goes before a text, where the file says it.
    pub add_space_prefix: Option<bool>,
    /// Whether spaces in a row become one.
    pub remove_extra_whitespaces: bool,
    /// Whether a text is made lower case, where the file says it.
    pub lowercase: Option<bool>,
    /// Whether accents are removed, where the file says it.
    pub strip_accents: Option<bool>,
    /// SentencePiece's table of replacements; empty if there is none.
    pub charsmap: &'a [u8],
    /// `general.name`, by which some tokens of some models are told apart.
    pub name: &'a str,
    /// `general.architecture`, likewise.
    pub architecture: &'a str,
    /// What a user should know.
    pub notes: Vec<String>,
    /// What a user should be told unasked.
    pub warning: Option<String>,
}

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const NAME: &str = "general.name";

/// Reads and checks the tokenizer of a file.
pub(crate) fn read<'g>(gguf: &'g Gguf<'_>) -> Result<Vocabulary<'g>> {
    let architecture = super::hyper::architecture(gguf)?;
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
    let (pre, warning) = pre(gguf, algorithm, model)?;
    let merges = tokens::merges(gguf, algorithm, pre)?.to_vec();
    match algorithm {
        Algorithm::Plamo2 => bytes::complete(words, &types)?,
        Algorithm::Rwkv => bytes::rwkv(words)?,
        Algorithm::Spm | Algorithm::Ugm | Algorithm::Bpe | Algorithm::Wpm => {}
    }
    let charsmap = match algorithm {
        Algorithm::Ugm => charsmap::read(gguf)?,
        _ => &[],
    };
    bytes::spelling(algorithm, words, &types)?;
    let special = special::read(gguf, algorithm, model, pre, words.len(), &mut notes)?;
    let (name, pre_name) = (gguf.text(NAME)?.unwrap_or_default(), gguf.text(PRE)?.unwrap_or_default());
    named(name, Strips::of(name, pre_name, architecture), words)?;
    Ok(Vocabulary {
        algorithm,
        model,
        pre,
        pre_name,
        words: tokens::spellings(words).collect(),
        types,
        scores: tokens::scores(gguf, words.len())?,
        merges,
        special,
        add_space_prefix: gguf.flag("tokenizer.ggml.add_space_prefix")?,
        remove_extra_whitespaces: gguf.flag("tokenizer.ggml.remove_extra_whitespaces")?.unwrap_or(false),
        lowercase: gguf.flag("tokenizer.ggml.normalizer.lowercase")?,
        strip_accents: gguf.flag("tokenizer.ggml.normalizer.strip_accents")?,
        charsmap,
        name,
        architecture,
        notes,
        warning,
    })
}

/// Checks that a model that llama.cpp takes for Phi-3 by its name has that model's tokens: it throws where one is missing.
fn named(name: &str, strips: Strips, words: &[&[u8]]) -> Result<()> {
    if strips != Strips::Phi3 {
        return Ok(());
    }
    let missing = Strips::PHI3.iter().find(|(text, _)| !tokens::spellings(words).any(|word| *word == *text.as_bytes()));
    missing.map_or(Ok(()), |(text, _)| {
        let expected =
            format!("another name: llama.cpp takes this one for Phi-3's, and the vocabulary has no token {text:?}");
        let name: String = name.chars().take(80).collect();
        Err(keys::wrong(NAME, format_args!("{name:?}"), expected))
    })
}

/// How byte-pair encoding cuts texts, and a warning for a file from before there was a choice, which does not say it.
fn pre(gguf: &Gguf<'_>, algorithm: Algorithm, model: &str) -> Result<(Option<Pre>, Option<String>)> {
    let found = gguf.text(PRE)?.filter(|name| !name.is_empty());
    if algorithm != Algorithm::Bpe {
        return Ok((None, None));
    }
    let warning = || {
        format!(
            "the file has no {PRE}: texts are cut into words by a general rule, not as the model learned it, and answers \
             may be worse; a newer conversion of the model has it"
        )
    };
    let (name, warning) = match (model, found) {
        ("gemma4", _) => ("gemma4", None),
        (_, Some(name)) => (name, None),
        (_, None) => ("default", Some(warning())),
    };
    match Pre::named(name) {
        Some(pre) => Ok((Some(pre), warning)),
        None => {
            Err(keys::wrong(PRE, format_args!("{name:?}"), "a pre-tokenizer that llama.cpp knows, such as llama-bpe"))
        }
    }
}
