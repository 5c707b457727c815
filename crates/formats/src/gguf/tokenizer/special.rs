//! Tokens with a part to play: beginning, end, separator and their like.

use super::Algorithm;
use crate::Result;
use crate::gguf::{Gguf, keys};

/// All keys that name a token. A number outside the vocabulary is no error: llama.cpp warns and keeps its default,
/// and files of good standing have 4294967295 where they mean "none".
const IDS: &[&str] = &[
    "bos",
    "eos",
    "eot",
    "eom",
    "unknown",
    "seperator",
    "padding",
    "mask",
    "fim_pre",
    "fim_suf",
    "fim_mid",
    "fim_pad",
    "fim_rep",
    "fim_sep",
    "prefix",
    "suffix",
    "middle",
];

/// Pre-tokenizers (`tokenizer.ggml.pre`) that begin each text with BOS unless the file says otherwise.
const BEGINS: &[&str] = &[
    "chameleon",
    "falcon-h1",
    "falcon3",
    "jina-v5-nano",
    "lfm2",
    "llama-bpe",
    "llama-v3",
    "llama3",
    "midm-2.0",
    "pixtral",
    "tekken",
];

/// Pre-tokenizers that begin each text with BOS whatever the file says.
const ALWAYS_BEGINS: &[&str] = &["gemma4", "granite-embed-multi-311m"];

/// Pre-tokenizers without a default for BOS.
const NO_DEFAULT: &[&str] = &["chatglm-bpe", "glm4", "glm5"];

/// Checks them for a vocabulary of `tokens`, and notes those that will be ignored.
///
/// llama.cpp asserts that a token it is to add exists, so adding one that does not aborts the process.
pub(super) fn check(
    gguf: &Gguf<'_>,
    algorithm: Algorithm,
    model: &str,
    tokens: usize,
    notes: &mut Vec<String>,
) -> Result<()> {
    for id in IDS {
        let key = key(id);
        if let Some(found) = gguf.u32(&key)?.filter(|&found| found as usize >= tokens) {
            notes.push(format!("{key} is {found}, outside the vocabulary of {tokens} tokens, and is ignored"));
        }
    }
    let pre = match model {
        "gemma4" => "gemma4",
        _ => gguf.text("tokenizer.ggml.pre")?.unwrap_or("default"),
    };
    let bpe = algorithm == Algorithm::Bpe;
    let (bos, eos) = match algorithm {
        Algorithm::Spm | Algorithm::Plamo2 => (Some(1), Some(2)),
        Algorithm::Wpm => (Some(101), None),
        Algorithm::Ugm => (None, Some(1)),
        Algorithm::Bpe if model == "gemma4" => (None, None),
        Algorithm::Bpe if NO_DEFAULT.contains(&pre) => (None, Some(11)),
        Algorithm::Bpe => (Some(11), Some(11)),
        Algorithm::Rwkv => (None, None),
    };
    let adds = |name: &str, default: bool| {
        let key = format!("tokenizer.ggml.add_{name}_token");
        Ok::<_, crate::Error>(gguf.flag(&key)?.unwrap_or(default))
    };
    adds("sep", false)?;
    let begins = adds("bos", algorithm == Algorithm::Spm || bpe && BEGINS.contains(&pre))?
        || algorithm == Algorithm::Wpm
        || bpe && ALWAYS_BEGINS.contains(&pre);
    let ends = adds("eos", algorithm == Algorithm::Ugm)? && algorithm != Algorithm::Wpm;
    let separates = algorithm == Algorithm::Wpm;
    for (id, is_added, default) in [("bos", begins, bos), ("eos", ends, eos), ("seperator", separates, Some(102))] {
        // RWKV adds nothing, whatever the file says.
        if !is_added || algorithm == Algorithm::Rwkv {
            continue;
        }
        let key = key(id);
        let found = gguf.u32(&key)?;
        let is_valid = |id: &u32| (*id as usize) < tokens;
        if found.filter(is_valid).or(default.filter(is_valid)).is_none() {
            let found = found.map_or("nothing".into(), |found| found.to_string());
            return Err(keys::wrong(&key, found, format!("a number below {tokens}: the token is added to each text")));
        }
    }
    Ok(())
}

fn key(id: &str) -> String {
    format!("tokenizer.ggml.{id}_token_id")
}
