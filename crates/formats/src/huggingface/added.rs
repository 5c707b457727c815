//! Tokens that small files add to those of `tokenizer.json`, or say more of.
//!
//! The order, and which file counts, are those of transformers (`from_pretrained` in `tokenization_utils_base.py`):
//! `added_tokens_decoder` of `tokenizer_config.json`; without it the older `special_tokens_map.json`, which then stands
//! above it, and `added_tokens.json`. After these the tokens with a task, each under a key of its own, and lists of more.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{Error, Result, json};

/// A token that `tokenizer.json` may not have, or not as special.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedToken {
    /// Its spelling; not empty.
    pub content: String,
    /// It stands for no text.
    pub special: bool,
    /// How it is found in a text; `None` leaves that to `tokenizer.json`.
    pub found: Option<Found>,
}

/// How an added token is found in a text, in words of the library `tokenizers`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(missing_docs, reason = "the names are the library's")]
pub struct Found {
    pub lstrip: bool,
    pub rstrip: bool,
    pub single_word: bool,
    pub normalized: bool,
}

/// Names that tokens with a task have in every model, in the order of transformers.
pub(super) const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Tokens by their ids.
const BY_ID: &str = "added_tokens_decoder";
/// What the key of a token with a task ends in.
const TASK: &str = "_token";
/// The model's own tasks by their names, as newer files have them together.
pub(super) const AGAIN: &str = "model_specific_special_tokens";
/// Lists of tokens without a task. The newer name counts if anything is there.
const LISTS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// What `tokenizer_config.json` says of tokens, with the older `special_tokens_map.json` where that counts.
pub(super) fn merged(config: &Map<String, Value>, map: Map<String, Value>) -> Map<String, Value> {
    let mut merged = config.clone();
    if !config.contains_key(BY_ID) {
        merged.extend(map);
    }
    merged
}

/// All tokens that `config`, as [`merged`] gives it, names, each once, in the order in which new ones get their ids.
/// `older` is the content of `added_tokens.json`.
pub(super) fn read(config: &Map<String, Value>, older: &Map<String, Value>) -> Result<Vec<NamedToken>> {
    let mut tokens = Tokens::default();
    if let Some(listed) = config.get(BY_ID) {
        let wrong = |found: &Value| Error::Key {
            key: BY_ID.into(),
            found: json::excerpt(found),
            expected: "objects with content, by id".into(),
        };
        let listed = listed.as_object().ok_or_else(|| wrong(listed))?;
        let by_id = listed.iter().map(|(id, token)| Some((id.parse::<u32>().ok()?, token.as_object()?)));
        let mut by_id = by_id.collect::<Option<Vec<_>>>().ok_or_else(|| wrong(&config[BY_ID]))?;
        by_id.sort_by_key(|(id, _)| *id);
        for (_, token) in by_id {
            tokens.add(token_of(token, false));
        }
    } else {
        let mut by_id: Vec<_> = older.iter().filter_map(|(content, id)| Some((id.as_u64()?, content))).collect();
        by_id.sort_unstable();
        for (_, content) in by_id {
            tokens.add_text(content, false);
        }
    }
    // Tasks that every model has come first, in an order of their own.
    let own = config.iter().filter(|(key, _)| key.ends_with(TASK) && !NAMES.contains(&key.as_str()));
    let tasks = NAMES.iter().filter_map(|name| config.get(*name)).chain(own.map(|(_, token)| token));
    tasks.for_each(|token| tokens.add_special(token));
    let list = LISTS.iter().find_map(|key| config.get(*key).filter(|list| !is_empty(list)));
    // What names the model's own tasks again counts where nothing else names any.
    let is_own =
        |(key, token): (&String, &Value)| key.ends_with(TASK) && !NAMES.contains(&key.as_str()) && token.is_string();
    if !list.is_some_and(Value::is_object) && !config.iter().any(is_own) {
        let again = config.get(AGAIN).and_then(Value::as_object);
        again.into_iter().flat_map(Map::values).for_each(|token| tokens.add_special(token));
    }
    match list {
        Some(Value::Array(list)) => list.iter().for_each(|token| tokens.add_special(token)),
        Some(Value::Object(tasks)) => tasks.values().for_each(|token| tokens.add_special(token)),
        _ => {}
    }
    Ok(tokens.all)
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_some_and(Vec::is_empty) || list.as_object().is_some_and(Map::is_empty)
}

/// Tokens in order, each once.
#[derive(Default)]
struct Tokens {
    all: Vec<NamedToken>,
    places: HashMap<String, usize>,
}

impl Tokens {
    fn add(&mut self, token: NamedToken) {
        if token.content.is_empty() {
            return;
        }
        if let Some(&place) = self.places.get(&token.content) {
            self.all[place].special |= token.special;
            return;
        }
        self.places.insert(token.content.clone(), self.all.len());
        self.all.push(token);
    }

    fn add_text(&mut self, content: &str, special: bool) {
        self.add(NamedToken { content: content.into(), special, found: None });
    }

    /// Adds a token given by its text or as an object. Other values are settings, as in `add_bos_token`.
    fn add_special(&mut self, token: &Value) {
        match token {
            Value::String(content) => self.add_text(content, true),
            Value::Object(token) => self.add(token_of(token, true)),
            _ => {}
        }
    }
}

/// A token as an object describes it: what it leaves out is as in `tokenizers`.
fn token_of(token: &Map<String, Value>, special: bool) -> NamedToken {
    let flag = |key: &str| token.get(key).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or(false);
    let found = Found {
        lstrip: flag("lstrip").unwrap_or(false),
        rstrip: flag("rstrip").unwrap_or(false),
        single_word: flag("single_word").unwrap_or(false),
        normalized: flag("normalized").unwrap_or(!special),
    };
    let content = token.get("content").and_then(Value::as_str).unwrap_or_default();
    NamedToken { content: content.into(), special, found: Some(found) }
}
