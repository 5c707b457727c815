//! How each layer attends: windows, patterns of them, and layers without positions.

use serde_json::Value;

use super::family::Family;
use super::fields::Fields;
use crate::{Result, json};

/// How one layer attends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attention {
    /// Only the last so many positions are seen, the own one included, and as many after it in models that are not
    /// causal; `None` sees all.
    pub window: Option<u32>,
    /// Index into [`Decoder::ropes`](super::Decoder::ropes); `None` rotates nothing (`SmolLM3`'s layers without positions).
    pub rope: Option<usize>,
}

/// Layers of a model.
pub(super) const LAYERS: u32 = 1024;
/// The largest window that is believed.
const WINDOW: u32 = 1 << 30;
/// `sliding_window` where Mistral, Gemma 2 and Gemma 3 do not say it.
const DEFAULT_WINDOW: u32 = 4096;

/// Reads how each of `layers` layers attends. Where tokens see those after them, too (`both_ways`), the window that is
/// named is both sides together.
pub(super) fn read(config: &Fields<'_>, family: Family, layers: u32, both_ways: bool) -> Result<Vec<Attention>> {
    let mut layers = by_family(config, family, layers)?;
    if both_ways {
        for window in layers.iter_mut().filter_map(|layer| layer.window.as_mut()) {
            *window = *window / 2 + 1;
        }
    }
    Ok(layers)
}

fn by_family(config: &Fields<'_>, family: Family, layers: u32) -> Result<Vec<Attention>> {
    let plain = Attention { window: None, rope: Some(0) };
    let all = |attention| vec![attention; layers as usize];
    match family {
        Family::Llama | Family::Granite => Ok(all(plain)),
        Family::Mistral => Ok(all(Attention { window: window(config, Some(DEFAULT_WINDOW))?, ..plain })),
        Family::Phi3 => Ok(all(Attention { window: window(config, None)?, ..plain })),
        Family::Qwen2 | Family::Qwen3 => {
            let first = config.count("max_window_layers", 0, u32::MAX)?.unwrap_or(28);
            let used = config.flag("use_sliding_window")?.unwrap_or(false);
            let window = window(config, Some(DEFAULT_WINDOW))?.filter(|_| used);
            let slides = types(config, layers, |index| window.is_some() && index >= first)?;
            attend(config, slides, window)
        }
        Family::SmolLm3 => {
            let rotated = rotated(config, layers)?;
            let used = config.flag("use_sliding_window")?.unwrap_or(false);
            let window = window(config, None)?.filter(|_| used);
            // Those without positions slide.
            let slides = types(config, layers, |index| window.is_some() && !rotated[index as usize])?;
            let layers = attend(config, slides, window)?.into_iter().zip(rotated);
            Ok(layers.map(|(layer, rotated)| Attention { rope: rotated.then_some(0), ..layer }).collect())
        }
        Family::Gemma2 => {
            let slides = types(config, layers, |index| index % 2 == 0)?;
            attend(config, slides, window(config, Some(DEFAULT_WINDOW))?)
        }
        Family::Gemma3 => {
            let pattern = config.count("sliding_window_pattern", 1, u32::MAX)?;
            // Newer files keep it under this name, and `layer_types` beside it.
            let pattern = pattern.or(config.count("_sliding_window_pattern", 1, u32::MAX)?).unwrap_or(6);
            let slides = types(config, layers, |index| !(index + 1).is_multiple_of(pattern))?;
            let layers = attend(config, slides, window(config, Some(DEFAULT_WINDOW))?)?.into_iter();
            // The second embedding is that of layers with a window.
            Ok(layers.map(|layer| Attention { rope: Some(layer.window.is_some().into()), ..layer }).collect())
        }
    }
}

/// `sliding_window`: `default` if it is absent, none if it is `null`.
fn window(config: &Fields<'_>, default: Option<u32>) -> Result<Option<u32>> {
    match config.raw("sliding_window") {
        None => Ok(default),
        Some(_) => config.count("sliding_window", 1, WINDOW),
    }
}

/// Which layers have a window: `layer_types`, or by the family's rule for a layer's index.
fn types(config: &Fields<'_>, layers: u32, rule: impl Fn(u32) -> bool) -> Result<Vec<bool>> {
    const KEY: &str = "layer_types";
    let Some(types) = config.list(KEY)? else { return Ok((0..layers).map(rule).collect()) };
    if types.len() as u64 != u64::from(layers) {
        return Err(config.wrong(KEY, format!("a list of {}", types.len()), format!("{layers}, one for each layer")));
    }
    let slides = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(config.wrong(KEY, json::excerpt(kind), "full_attention or sliding_attention")),
    };
    types.iter().map(slides).collect()
}

fn attend(config: &Fields<'_>, slides: Vec<bool>, window: Option<u32>) -> Result<Vec<Attention>> {
    if window.is_none() && slides.contains(&true) {
        return Err(config.missing("sliding_window", "a number: layer_types has layers with a window"));
    }
    let attention = |slides: bool| Attention { window: window.filter(|_| slides), rope: Some(0) };
    Ok(slides.into_iter().map(attention).collect())
}

/// Which of `SmolLM3`'s layers rotate: `no_rope_layers`, where 1 rotates, or all but every fourth.
fn rotated(config: &Fields<'_>, layers: u32) -> Result<Vec<bool>> {
    const KEY: &str = "no_rope_layers";
    let interval = config.count("no_rope_layer_interval", 1, u32::MAX)?.unwrap_or(4);
    let Some(list) = config.list(KEY)? else {
        return Ok((1..=layers).map(|number| !number.is_multiple_of(interval)).collect());
    };
    if (list.len() as u64) < u64::from(layers) {
        return Err(config.wrong(KEY, format!("a list of {}", list.len()), format!("{layers}, one for each layer")));
    }
    let rotates = |value: &Value| match value.as_u64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(config.wrong(KEY, json::excerpt(value), "zeros and ones")),
    };
    list.iter().take(layers as usize).map(rotates).collect()
}
