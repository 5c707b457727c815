//! A vocabulary in the keys of a GGUF file (`tokenizer.ggml.*`), with the defaults of `llama-vocab.cpp`.

use std::collections::BTreeMap;

use trillm_formats::gguf::ValueType;

use super::{Header, Keys};
use crate::pre::Pre;
use crate::vocabulary::{Kind, Method, Special, Token, Vocabulary};
use crate::{Error, Result};

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";

/// What files say where there is no such token.
const NONE: u32 = u32::MAX;

/// Reads a vocabulary, and says in `notes` what was not used.
pub(crate) fn read(keys: &Keys<'_, '_>, notes: &mut Vec<String>) -> Result<Vocabulary> {
    let texts = keys.texts(TOKENS)?.ok_or_else(|| Error::missing(TOKENS, "the tokens"))?;
    let kinds = match keys.words(TYPES, ValueType::I32)? {
        None => vec![Kind::Normal; texts.len()],
        Some(numbers) => numbers
            .into_iter()
            .map(i32::from_le_bytes)
            .map(|number| {
                Kind::from_number(number).ok_or_else(|| Error::unsupported(TYPES, number, "types from 1 to 6"))
            })
            .collect::<Result<_>>()?,
    };
    same_length(TYPES, kinds.len(), texts.len())?;
    let tokens: Vec<Token> = texts.iter().zip(kinds).map(|(text, kind)| Token { text: (*text).into(), kind }).collect();

    let model = keys.text(MODEL)?.ok_or_else(|| Error::missing(MODEL, "gpt2 or llama"))?;
    let (method, adds_bos, end) = match model {
        "gpt2" => {
            let name = keys.text("tokenizer.ggml.pre")?.unwrap_or("default");
            let pre = Pre::named(name)?;
            let merges = keys.texts(MERGES)?.ok_or_else(|| Error::missing(MERGES, "the pairs to merge"))?;
            let merges = merges.into_iter().map(pair).collect::<Result<_>>()?;
            (Method::Merges { pre, merges }, pre.adds_bos, None)
        }
        "llama" => {
            let scores = keys.words(SCORES, ValueType::F32)?.ok_or_else(|| Error::missing(SCORES, "the scores"))?;
            same_length(SCORES, scores.len(), texts.len())?;
            let scores = scores.into_iter().map(f32::from_le_bytes).collect();
            let space_prefix = keys.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
            (Method::Scores { scores, space_prefix }, true, Some([1, 2, 0]))
        }
        other => return Err(Error::unsupported(MODEL, format!("{other:?}"), "gpt2 or llama")),
    };
    let mut id = |name: &str, default: Option<u32>| -> Result<Option<u32>> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let found = keys.id(&key)?;
        if let Some(found) = found.filter(|&id| id as usize >= texts.len()) {
            if found != NONE {
                notes.push(format!("{key} is {found}, which is no token: it was left out"));
            }
            return Ok(None);
        }
        Ok(found.or(default.filter(|&id| (id as usize) < texts.len())))
    };
    let [bos, eos, unknown] = end.map_or([None; 3], |ids| ids.map(Some));
    let special = Special {
        bos: id("bos", bos)?,
        eos: id("eos", eos)?,
        unknown: id("unknown", unknown)?,
        end_of_turn: id("eot", None)?,
        separator: id("seperator", None)?,
        padding: id("padding", None)?,
        class: id("cls", None)?,
        mask: id("mask", None)?,
        add_bos: keys.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos),
        add_eos: keys.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(false),
    };
    let chat_templates = keys.chat_templates()?;
    Ok(Vocabulary { method, tokens, special, found: BTreeMap::new(), chat_templates })
}

fn same_length(key: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::unsupported(key, format!("an array of {found}"), format!("one entry for each of {expected} tokens")))
}

/// The two halves of a merge, which a space stands between.
fn pair(text: &str) -> Result<(String, String)> {
    // Not the first character, which may be a space itself.
    let cut = text.char_indices().skip(1).find(|(_, character)| *character == ' ').map(|(at, _)| at);
    let (left, right) = cut
        .map(|at| (&text[..at], &text[at + 1..]))
        .filter(|(_, right)| !right.is_empty())
        .ok_or_else(|| Error::unsupported(MERGES, format!("{text:?}"), "two pieces with a space between them"))?;
    Ok((left.into(), right.into()))
}

/// Writes a vocabulary.
pub(crate) fn write(vocabulary: &Vocabulary, header: &mut Header) {
    let Special { end_of_turn, add_bos, add_eos, .. } = vocabulary.special;
    match &vocabulary.method {
        Method::Merges { pre, merges } => {
            header.set(MODEL, "gpt2");
            header.set("tokenizer.ggml.pre", pre.name());
            header.set(MERGES, merges.iter().map(|(left, right)| format!("{left} {right}")).collect::<Vec<_>>());
        }
        Method::Scores { scores, space_prefix } => {
            header.set(MODEL, "llama");
            header.set("tokenizer.ggml.pre", "default");
            header.set(SCORES, scores.clone());
            header.set("tokenizer.ggml.add_space_prefix", *space_prefix);
        }
    }
    header.set(TOKENS, vocabulary.tokens.iter().map(|token| token.text.clone()).collect::<Vec<_>>());
    header.set(TYPES, vocabulary.tokens.iter().map(|token| token.kind as i32).collect::<Vec<_>>());
    // Where SentencePiece's files say nothing, readers take the second token and the third.
    let unsaid = matches!(vocabulary.method, Method::Scores { .. }).then_some(NONE);
    let ids = vocabulary.special.tasks().map(|(name, _, id)| match name {
        "bos" | "eos" => (name, id.or(unsaid)),
        _ => (name, id),
    });
    for (name, id) in ids.into_iter().chain([("eot", end_of_turn)]) {
        if let Some(id) = id {
            header.set(format!("tokenizer.ggml.{name}_token_id"), id);
        }
    }
    header.set("tokenizer.ggml.add_bos_token", add_bos);
    header.set("tokenizer.ggml.add_eos_token", add_eos);
    if let Some(template) = &vocabulary.chat_templates.default {
        header.set("tokenizer.chat_template", template.clone());
    }
    let named = &vocabulary.chat_templates.named;
    for (name, template) in named {
        header.set(format!("tokenizer.chat_template.{name}"), template.clone());
    }
    if !named.is_empty() {
        header.set("tokenizer.chat_templates", named.keys().cloned().collect::<Vec<_>>());
    }
}
