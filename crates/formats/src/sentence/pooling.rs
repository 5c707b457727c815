//! The configuration of a Pooling: which ways, and whether a prompt counts.

use std::path::Path;

use serde_json::Value;
use trillm_core::Pooling;

use super::keys;
use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::huggingface::file::File;
use crate::{Result, json};

pub(super) struct Read {
    pub(super) ways: Vec<Pooling>,
    pub(super) include_prompt: bool,
}

/// Switches of the older form, in the order in which their vectors stand side by side.
const SWITCHES: [(&str, Pooling); 6] = [
    ("pooling_mode_cls_token", Pooling::First),
    ("pooling_mode_max_tokens", Pooling::Max),
    ("pooling_mode_mean_tokens", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrt),
    ("pooling_mode_weightedmean_tokens", Pooling::WeightedMean),
    ("pooling_mode_lasttoken", Pooling::Last),
];

/// How wide the vectors of tokens are, which the network says: in the newer form, and in the older one.
const WIDTH: [&str; 2] = ["embedding_dimension", "word_embedding_dimension"];

/// Ways by the names that files use.
const NAMES: &str = "cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken";

/// Vectors side by side.
const WAYS: usize = 16;

pub(super) fn read(folder: &Path) -> Result<Read> {
    File::required(folder, "config.json", CONFIG)?.with(|config| {
        let ways = match config.raw("pooling_mode") {
            Some(mode) => named(config, mode)?,
            None => switched(config)?,
        };
        let include_prompt = config.flag("include_prompt")?.unwrap_or(true);
        let known: Vec<&str> = SWITCHES.iter().map(|(key, _)| *key).chain(WIDTH).collect();
        keys::check(config, &known)?;
        Ok(Read { ways, include_prompt })
    })
}

/// The newer form: one name, or a list of them.
fn named(config: &Fields<'_>, mode: &Value) -> Result<Vec<Pooling>> {
    let names = match mode {
        Value::Array(names) if (1..=WAYS).contains(&names.len()) => &names[..],
        Value::Array(_) => {
            return Err(config.wrong("pooling_mode", json::excerpt(mode), format!("one to {WAYS} names")));
        }
        name => std::slice::from_ref(name),
    };
    let way = |name: &Value| {
        let known = name.as_str().filter(|name| !["last", "mean_sqrt_len"].contains(name)).and_then(Pooling::of);
        known.ok_or_else(|| config.wrong("pooling_mode", json::excerpt(name), NAMES))
    };
    names.iter().map(way).collect()
}

/// The older form: a switch for each way, which some files have as a number.
fn switched(config: &Fields<'_>) -> Result<Vec<Pooling>> {
    let mut ways = Vec::new();
    for (key, way) in SWITCHES {
        let is_on = match config.raw(key).and_then(Value::as_u64) {
            Some(number @ (0 | 1)) => number == 1,
            _ => config.flag(key)?.unwrap_or(false),
        };
        if is_on {
            ways.push(way);
        }
    }
    Ok(if ways.is_empty() { vec![Pooling::Mean] } else { ways })
}
