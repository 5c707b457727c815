//! `generation_config.json`: how a model's publisher says it is sampled best.
//!
//! A value that cannot be used keeps no model from being loaded: it is left out, with a note.

use serde_json::{Map, Value};
use trillm_core::{Defaults, Given};

use crate::json;

/// The file, and so the source of what it says.
pub(super) const FILE: &str = "generation_config.json";

/// What changes the choice of tokens in transformers, and has no equal here.
const UNKNOWN: [&str; 13] = [
    "bad_words_ids",
    "diversity_penalty",
    "encoder_repetition_penalty",
    "epsilon_cutoff",
    "eta_cutoff",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "no_repeat_ngram_size",
    "num_beams",
    "penalty_alpha",
    "sequence_bias",
    "suppress_tokens",
    "top_h",
];

/// What the object of the file says.
pub(super) fn defaults(object: &Map<String, Value>, notes: &mut Vec<String>) -> Defaults {
    let changes = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Number(number) => !["0", "1", "0.0", "1.0"].contains(&number.to_string().as_str()),
        _ => true,
    };
    let unknown: Vec<_> = UNKNOWN.into_iter().filter(|key| object.get(*key).is_some_and(changes)).collect();
    if !unknown.is_empty() {
        notes.push(format!("{FILE}: no use is made here of {}", unknown.join(", ")));
    }
    // `do_sample: false` takes the most probable token in transformers, whatever else is there. Where it is absent
    // transformers does so too, but a publisher who gives a temperature means it.
    if object.get("do_sample") == Some(&Value::Bool(false)) {
        return Defaults { temperature: Some(given(0.0)), ..Defaults::default() };
    }
    let mut number = |key: &str| match object.get(key)? {
        Value::Null => None,
        value => match value.as_f64() {
            Some(number) => Some(given(number as f32)),
            None => wrong(notes, key, value, "a number"),
        },
    };
    let mut defaults = Defaults {
        temperature: number("temperature"),
        top_p: number("top_p"),
        min_p: number("min_p"),
        typical_p: number("typical_p"),
        repetition_penalty: number("repetition_penalty"),
        ..Defaults::default()
    };
    let value = |key| object.get(key).filter(|value| !value.is_null());
    defaults.top_k = value("top_k").and_then(|value| match value.as_i64() {
        // All tokens: some write -1.
        Some(..=0) => Some(given(0)),
        Some(count) => Some(given(u32::try_from(count).unwrap_or(u32::MAX))),
        None => wrong(notes, "top_k", value, "a whole number"),
    });
    defaults.stop = value("stop_strings").and_then(|value| {
        let texts = match value {
            Value::Array(list) => list.iter().map(|text| text.as_str().map(Into::into)).collect(),
            value => value.as_str().map(|text| vec![text.to_owned()]),
        };
        texts.map(given).or_else(|| wrong(notes, "stop_strings", value, "a text or a list of texts"))
    });
    defaults.checked(notes)
}

fn given<T>(value: T) -> Given<T> {
    Given { value, source: FILE }
}

fn wrong<T>(notes: &mut Vec<String>, key: &str, value: &Value, expected: &str) -> Option<T> {
    notes.push(format!("{FILE}: {key} is {}, expected {expected}; it is not used", json::excerpt(value)));
    None
}
