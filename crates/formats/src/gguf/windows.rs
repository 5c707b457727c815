//! Sliding windows: which layers look at the last positions only, as `load_swa_pattern` in `llama-model.cpp` and its
//! callers in `src/models/*.cpp` of the pinned llama.cpp have it.

use super::keys::Keys;
use super::limits;
use super::value::Value;
use crate::Result;

/// How an architecture has windows where its files do not say it for each layer.
struct Rule {
    architecture: &'static str,
    /// `attention.sliding_window` where it is absent; zero is none.
    window: u32,
    /// One layer of so many sees all positions; zero if the file must say which.
    period: u32,
    /// That one is the first, and not the last.
    first: bool,
}

const fn rule(architecture: &'static str, window: u32, period: u32) -> Rule {
    Rule { architecture, window, period, first: false }
}

const RULES: &[Rule] = &[
    rule("afmoe", 0, 4),
    rule("cohere2", 0, 4),
    Rule { first: true, ..rule("cohere2moe", 0, 4) },
    rule("dots3note", 0, 0),
    rule("exaone-moe", 128, 4),
    rule("exaone4", 4096, 4),
    rule("gemma2", 4096, 2),
    rule("gemma3", 0, 6),
    rule("gemma3n", 0, 5),
    rule("gemma4", 0, 0),
    rule("gpt-oss", 0, 2),
    rule("granite_swa", 0, 0),
    Rule { first: true, ..rule("laguna", 0, 4) },
    rule("maple", 0, 0),
    rule("mellum", 0, 4),
    rule("mimo2", 0, 0),
    rule("muse-glimmer", 0, 4),
    rule("olmo2", 0, 4),
    rule("plamo3", 0, 8),
    Rule { first: true, ..rule("smallthinker", 0, 4) },
    rule("spark2_5", 0, 0),
    rule("step35", 0, 0),
];

/// The window of each of `layers` layers; `None` where all positions are looked at.
pub(crate) fn read(keys: &Keys<'_, '_>, layers: u32) -> Result<Vec<Option<u32>>> {
    let none = || vec![None; layers as usize];
    let Some(rule) = RULES.iter().find(|rule| rule.architecture == keys.architecture) else { return Ok(none()) };
    // Of its two sizes one has windows.
    if keys.architecture == "exaone4" && layers != 64 {
        return Ok(none());
    }
    let stated = keys.layered("attention.sliding_window", layers, limits::CONTEXT)?;
    let window = stated.and_then(|windows| windows.first().copied()).unwrap_or(rule.window);
    if window == 0 {
        return Ok(none());
    }
    let has_window = |layer: u32| match pattern(keys, layer) {
        Some(Pattern::Layer(slides)) => slides,
        Some(Pattern::Period(period)) => slides(layer, period, rule.first),
        None => rule.period > 0 && slides(layer, rule.period, rule.first),
    };
    Ok((0..layers).map(|layer| has_window(layer).then_some(window)).collect())
}

/// Whether a layer is not the one of `period` that sees all; without a period, all slide.
fn slides(layer: u32, period: u32, first: bool) -> bool {
    match layer.checked_rem(period) {
        Some(place) => place != if first { 0 } else { period - 1 },
        None => true,
    }
}

/// What `attention.sliding_window_pattern` says.
enum Pattern {
    Period(u32),
    Layer(bool),
}

fn pattern(keys: &Keys<'_, '_>, layer: u32) -> Option<Pattern> {
    const KEY: &str = "attention.sliding_window_pattern";
    match keys.gguf.get(&keys.name(KEY))? {
        Value::U32(period) => Some(Pattern::Period(*period)),
        _ => keys.listed(KEY, layer).map(Pattern::Layer),
    }
}
