//! Tokens with a part to play: beginning, end, separator and their like.

use super::algorithm::Algorithm;
use super::pre::Pre;
use crate::Result;
use crate::gguf::{Gguf, keys};

/// Tokens with a part to play, those that the file names or llama.cpp supposes.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the keys")]
pub struct Special {
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub eot: Option<u32>,
    pub eom: Option<u32>,
    pub unknown: Option<u32>,
    pub separator: Option<u32>,
    pub fim_pre: Option<u32>,
    pub fim_suf: Option<u32>,
    pub fim_mid: Option<u32>,
    pub fim_pad: Option<u32>,
    pub fim_rep: Option<u32>,
    pub fim_sep: Option<u32>,
    /// Whether BOS goes before a text.
    pub adds_bos: bool,
    /// Whether EOS goes behind a text.
    pub adds_eos: bool,
    /// Whether the separator goes behind a text.
    pub adds_separator: bool,
}

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

/// Reads them for a vocabulary of `tokens`, and notes those that will be ignored.
///
/// llama.cpp asserts that a token it is to add exists, so adding one that does not aborts the process.
pub(super) fn read(
    gguf: &Gguf<'_>,
    algorithm: Algorithm,
    model: &str,
    pre: Option<Pre>,
    tokens: usize,
    notes: &mut Vec<String>,
) -> Result<Special> {
    for id in IDS {
        let key = key(id);
        if let Some(found) = gguf.u32(&key)?.filter(|&found| found as usize >= tokens) {
            notes.push(format!("{key} is {found}, outside the vocabulary of {tokens} tokens, and is ignored"));
        }
    }
    let (bos, eos, unknown) = match algorithm {
        Algorithm::Spm | Algorithm::Plamo2 => (Some(1), Some(2), Some(0)),
        Algorithm::Wpm => (Some(101), None, Some(100)),
        Algorithm::Ugm => (None, Some(1), Some(2)),
        Algorithm::Bpe if model == "gemma4" => (None, None, None),
        Algorithm::Bpe if pre.is_some_and(|pre| !pre.default_bos) => (None, Some(11), None),
        Algorithm::Bpe => (Some(11), Some(11), None),
        Algorithm::Rwkv => (None, None, None),
    };
    let adds = |name: &str, default: bool| {
        let key = format!("tokenizer.ggml.add_{name}_token");
        Ok::<_, crate::Error>(gguf.flag(&key)?.unwrap_or(default))
    };
    adds("sep", false)?;
    let begins = adds("bos", algorithm == Algorithm::Spm || pre.is_some_and(|pre| pre.begins))?
        || algorithm == Algorithm::Wpm
        || pre.is_some_and(|pre| pre.always_begins);
    let ends = adds("eos", algorithm == Algorithm::Ugm)? && algorithm != Algorithm::Wpm;
    // RWKV adds nothing, whatever the file says.
    let adds_any = algorithm != Algorithm::Rwkv;
    let id = |id: &str, default: Option<u32>| {
        let is_valid = |id: &u32| (*id as usize) < tokens;
        Ok::<_, crate::Error>(gguf.u32(&key(id))?.filter(is_valid).or(default.filter(is_valid)))
    };
    let special = Special {
        bos: id("bos", bos)?,
        eos: id("eos", eos)?,
        eot: id("eot", None)?,
        eom: id("eom", None)?,
        unknown: id("unknown", unknown)?,
        separator: id("seperator", Some(102).filter(|_| algorithm == Algorithm::Wpm))?,
        // The second key of each is the older one, and counts.
        fim_pre: id("prefix", id("fim_pre", None)?)?,
        fim_suf: id("suffix", id("fim_suf", None)?)?,
        fim_mid: id("middle", id("fim_mid", None)?)?,
        fim_pad: id("fim_pad", None)?,
        fim_rep: id("fim_rep", None)?,
        fim_sep: id("fim_sep", None)?,
        adds_bos: begins && adds_any,
        adds_eos: ends && adds_any,
        adds_separator: algorithm == Algorithm::Wpm,
    };
    for (id, is_added, token) in [
        ("bos", special.adds_bos, special.bos),
        ("eos", special.adds_eos, special.eos),
        ("seperator", special.adds_separator, special.separator),
    ] {
        if is_added && token.is_none() {
            let key = key(id);
            let found = gguf.u32(&key)?.map_or("nothing".into(), |found| found.to_string());
            return Err(keys::wrong(&key, found, format!("a number below {tokens}: the token is added to each text")));
        }
    }
    Ok(special)
}

fn key(id: &str) -> String {
    format!("tokenizer.ggml.{id}_token_id")
}
