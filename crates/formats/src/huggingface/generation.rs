//! `generation_config.json`: how a model's publisher says it is sampled best.
//!
//! A value that cannot be used keeps no model from being loaded: it is left out, with a note.

use std::path::Path;

use serde_json::{Map, Value};
use trillm_core::{Defaults, Given};

use super::CONFIG;
use super::file::File;
use crate::{Error, Result, disk, json};

/// The file, and so the source of what it says.
const FILE: &str = "generation_config.json";

/// What changes a text in transformers or, as the penalties, in servers that read the file, and is not used here; and
/// the number, if it is one, with which it changes nothing.
const UNUSED: [(&str, f64); 35] = [
    ("bad_words_ids", 0.0),
    ("begin_suppress_tokens", 0.0),
    ("constraints", 0.0),
    ("diversity_penalty", 0.0),
    ("dola_layers", 0.0),
    ("early_stopping", 0.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("encoder_repetition_penalty", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("exponential_decay_length_penalty", 0.0),
    ("force_words_ids", 0.0),
    ("forced_bos_token_id", -1.0),
    ("forced_eos_token_id", -1.0),
    ("frequency_penalty", 0.0),
    ("guidance_scale", 1.0),
    ("length_penalty", 1.0),
    ("max_length", 20.0),
    ("max_new_tokens", 0.0),
    ("max_time", 0.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
    ("no_repeat_ngram_size", 0.0),
    ("num_beam_groups", 1.0),
    ("num_beams", 1.0),
    ("num_return_sequences", 1.0),
    ("penalty_alpha", 0.0),
    ("presence_penalty", 0.0),
    ("remove_invalid_values", 0.0),
    ("renormalize_logits", 0.0),
    ("sequence_bias", 0.0),
    ("suppress_tokens", 0.0),
    ("token_healing", 0.0),
    ("top_h", 1.0),
    ("watermarking_config", 0.0),
];

/// Reads the file in `folder`, if there is one. One that is no JSON is as good as absent, as in transformers, but for what
/// Python takes for JSON.
pub(super) fn read(folder: &Path, notes: &mut Vec<String>) -> Result<File> {
    let path = folder.join(FILE);
    let bytes = disk::small(&path, CONFIG)?.unwrap_or_else(|| b"{}".to_vec());
    let object = match json::object(&json::without_pythons_numbers(&bytes), CONFIG, "the file") {
        Err(Error::Json { reason, .. }) => {
            notes.push(format!("{FILE} is not used: {reason}"));
            Map::new()
        }
        object => object.map_err(|error| error.of(&path))?,
    };
    Ok(File { path, object })
}

/// What the object of the file says.
pub(super) fn defaults(object: &Map<String, Value>, notes: &mut Vec<String>) -> Defaults {
    let is_unused = |&(key, usual): &(&str, f64)| object.get(key).is_some_and(|value| changes(value, usual));
    let unused: Vec<_> = UNUSED.iter().filter(|entry| is_unused(entry)).map(|(key, _)| *key).collect();
    if !unused.is_empty() {
        notes.push(format!("{FILE}: no use is made here of {}", unused.join(", ")));
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
    // `do_sample: false` takes the most probable token in transformers, after what changes the order of tokens: what
    // chooses among them alone does not count then (`_get_logits_processor`). Where it is absent transformers takes that
    // token too, but a publisher who gives a temperature means it.
    if object.get("do_sample") == Some(&Value::Bool(false)) {
        defaults = Defaults {
            temperature: Some(given(0.0)),
            repetition_penalty: defaults.repetition_penalty,
            stop: defaults.stop,
            ..Defaults::default()
        };
    }
    defaults.checked(notes)
}

fn changes(value: &Value, usual: f64) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Number(number) => number.as_f64() != Some(usual),
        _ => true,
    }
}

fn given<T>(value: T) -> Given<T> {
    Given { value, source: FILE }
}

fn wrong<T>(notes: &mut Vec<String>, key: &str, value: &Value, expected: &str) -> Option<T> {
    notes.push(format!("{FILE}: {key} is {}, expected {expected}; it is not used", json::excerpt(value)));
    None
}
