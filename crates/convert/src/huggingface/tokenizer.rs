//! Writes `tokenizer.json` and `tokenizer_config.json`.
//!
//! All tokens are in the model's vocabulary, added ones too: the library numbers added tokens itself unless it finds
//! them there, and GGUF files have them at any number.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::vocabulary::{Kind, Method, Special, Token, Vocabulary, filler, looks_special, merges_of_scores};
use crate::{Error, Result};

/// What stands for a space in SentencePiece's tokens.
const SPACE: &str = "▁";

/// `tokenizer.json`. The architecture matters to Phi-3, whose special tokens swallow the spaces behind them.
pub(crate) fn tokenizer(vocabulary: &Vocabulary, architecture: &str) -> Result<Value> {
    let (normalizer, pre_tokenizer, decoder) = match &vocabulary.method {
        Method::Merges { pre, .. } => {
            let decoder =
                json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
            (if pre.nfc { json!({ "type": "NFC" }) } else { Value::Null }, pre.to_json(), decoder)
        }
        Method::Scores { space_prefix, .. } => {
            let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
            let back = json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " });
            let mut steps = vec![back, json!({ "type": "ByteFallback" }), json!({ "type": "Fuse" })];
            let mut normalizers = vec![replace];
            if *space_prefix {
                normalizers.insert(0, json!({ "type": "Prepend", "prepend": SPACE }));
                steps.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
            }
            let normalizer = json!({ "type": "Sequence", "normalizers": normalizers });
            (normalizer, Value::Null, json!({ "type": "Sequence", "decoders": steps }))
        }
    };
    let swallows = architecture == "phi3" && matches!(vocabulary.method, Method::Scores { .. });
    let tokens = vocabulary.tokens.iter().enumerate().filter(|(id, token)| is_added(token) && !is_filler(*id, token));
    let added = tokens.map(|(id, token)| {
        json!({
            "id": id,
            "content": token.text,
            "single_word": false,
            "lstrip": false,
            "rstrip": swallows && swallows_spaces(token),
            "normalized": false,
            "special": token.kind != Kind::UserDefined || looks_special(&token.text),
        })
    });
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(vocabulary),
        "decoder": decoder,
        "model": model(vocabulary)?,
    }))
}

fn is_added(token: &Token) -> bool {
    matches!(token.kind, Kind::Control | Kind::UserDefined | Kind::Unknown)
}

/// Whether the token only fills its number. Old converters called fillers unknown.
fn is_filler(id: usize, token: &Token) -> bool {
    matches!(token.kind, Kind::Unused | Kind::Unknown) && token.text == filler(id)
}

/// Which of Phi-3's tokens strip what follows: GGUF does not say, and llama.cpp knows them by name too.
fn swallows_spaces(token: &Token) -> bool {
    token.text.starts_with("<|") && token.text != "<|endoftext|>" || token.text == "</s>"
}

fn model(vocabulary: &Vocabulary) -> Result<Value> {
    let Special { unknown, .. } = vocabulary.special;
    let (merges, ignore_merges, byte_fallback) = match &vocabulary.method {
        Method::Merges { pre, merges } => (merges.clone(), pre.ignore_merges, false),
        Method::Scores { scores, .. } => (merges_of_scores(&vocabulary.tokens, scores), false, true),
    };
    let mut ids = HashMap::new();
    let mut entries = Map::new();
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        if is_filler(id, token) {
            continue;
        }
        if let Some(first) = ids.insert(token.text.as_str(), id) {
            let found = format!("{:?} for the ids {first} and {id}", token.text);
            return Err(Error::unsupported("the text of a token", found, "a text of its own for each token"));
        }
        entries.insert(token.text.clone(), id.into());
    }
    // A byte-level vocabulary spells everything; a token for the unknown only means something beside byte fallback.
    let unknown = unknown.filter(|_| byte_fallback).and_then(|id| vocabulary.text(id));
    Ok(json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": unknown,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": byte_fallback,
        "byte_fallback": byte_fallback,
        "ignore_merges": ignore_merges,
        "vocab": entries,
        "merges": merges.iter().map(|(left, right)| json!([left, right])).collect::<Vec<_>>(),
    }))
}

/// What puts the tokens around a text that begin and end it.
fn post_processor(vocabulary: &Vocabulary) -> Value {
    let Special { bos, eos, add_bos, add_eos, .. } = vocabulary.special;
    let token = |id: Option<u32>, wanted: bool| {
        let id = id.filter(|_| wanted)?;
        Some((id, vocabulary.text(id)?))
    };
    let (first, last) = (token(bos, add_bos), token(eos, add_eos));
    if first.is_none() && last.is_none() {
        return match vocabulary.method {
            Method::Merges { .. } => {
                json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true })
            }
            Method::Scores { .. } => Value::Null,
        };
    }
    let around = |sequence: &str, number: u32| {
        let special = |text: &str| json!({ "SpecialToken": { "id": text, "type_id": number } });
        let mut items: Vec<Value> = first.iter().map(|(_, text)| special(text)).collect();
        items.push(json!({ "Sequence": { "id": sequence, "type_id": number } }));
        items.extend(last.iter().map(|(_, text)| special(text)));
        items
    };
    let tokens: Map<String, Value> = first
        .into_iter()
        .chain(last)
        .map(|(id, text)| (text.into(), json!({ "id": text, "ids": [id], "tokens": [text] })))
        .collect();
    let pair = [around("A", 0), around("B", 1)].concat();
    json!({
        "type": "TemplateProcessing",
        "single": around("A", 0),
        "pair": pair,
        "special_tokens": tokens,
    })
}

/// `tokenizer_config.json`, of a model that embeds or not.
pub(crate) fn tokenizer_config(vocabulary: &Vocabulary, context: u32, embeds: bool) -> Value {
    let Special { add_bos, add_eos, .. } = vocabulary.special;
    let mut out = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": add_bos,
        "add_eos_token": add_eos,
        "clean_up_tokenization_spaces": false,
        "model_max_length": context,
    });
    // A name that is not there might be one of the class's own: Qwen 2 has its class whatever stands above.
    for (_, key, id) in vocabulary.special.tasks() {
        out[key] = id.and_then(|id| vocabulary.text(id)).into();
    }
    // sentence-transformers fills the short texts of a batch, be it a batch of one, and does not look at what it filled in.
    if embeds && out["pad_token"].is_null() {
        out["pad_token"] = out["eos_token"].clone();
    }
    let templates = &vocabulary.chat_templates;
    match &templates.default {
        Some(template) if templates.named.is_empty() => out["chat_template"] = template.as_str().into(),
        None if templates.named.is_empty() => {}
        _ => {
            let named = templates.iter().map(|(name, template)| json!({ "name": name, "template": template }));
            out["chat_template"] = named.collect();
        }
    }
    out
}
