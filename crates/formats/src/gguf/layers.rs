//! What each layer of a GGUF model keeps of the tokens that it has seen, as `llama_kv_cache` and
//! `llama_memory_recurrent` of the pinned llama.cpp allocate it.

use trillm_core::Layer;

use super::architecture::Architecture;
use super::heads::Heads;
use super::indexers::Indexers;
use super::keys::Keys;
use super::state::{self, Recurs};
use super::windows;
use crate::Result;

/// A cache that grows with the number of sequences, and has parts in rows of 256 for every 4 or 128 tokens.
const OF_ITS_OWN: &str = "deepseek4";

/// Encoders for which llama.cpp makes a cache all the same.
const CACHED_ENCODERS: &[&str] = &["llama-embed", "t5encoder"];

/// Layers that guess more tokens ahead have a place in the cache, though they are not run.
#[rustfmt::skip]
const GUESSES_KEPT: &[&str] = &[
    "bailingmoe3", "falcon-h1", "granitehybrid", "hy_v4", "jamba", "kimi-k3", "kimi-linear", "lfm2", "lfm2moe",
    "minimax-m3", "nemotron_h", "nemotron_h_moe", "plamo2",
];

/// What a model of `layers` layers of `width` keeps; `None` if that is not known of its architecture.
pub(crate) fn read(
    keys: &Keys<'_, '_>,
    architecture: &Architecture,
    heads: &Heads,
    (layers, width): (u32, u32),
) -> Result<Option<Vec<Layer>>> {
    if keys.architecture == OF_ITS_OWN {
        return Ok(None);
    }
    if architecture.encoder && !CACHED_ENCODERS.contains(&keys.architecture) {
        return Ok(Some(vec![Layer::default(); layers as usize]));
    }
    let windows = windows::read(keys, layers)?;
    let (recurs, state) = (state::recurs(keys, architecture.recurrent)?, state::bytes(keys, heads, width)?);
    let indexers = Indexers::read(keys)?;
    let is_latent = keys.is_latent()?;
    let forward = keys.layered("feed_forward_length", layers, u32::MAX)?;
    let is_alone = |index: u32| forward.as_ref().is_none_or(|sizes| sizes[index as usize] == 0);
    let owners = owners(keys, layers)?;
    let run = layers - keys.u32("nextn_predict_layers")?.unwrap_or(0).min(layers - 1);
    let layer = |index: u32| {
        let (window, kv_heads) = (windows[index as usize], heads.kv[index as usize]);
        let is_recurrent = index < run
            && match recurs {
                Recurs::None => false,
                Recurs::All => true,
                Recurs::WithoutHeads => kv_heads == 0,
                Recurs::Alone => kv_heads == 0 && is_alone(index),
                Recurs::Between(interval) => keys
                    .flagged("attention.recurrent_layers", index)
                    .unwrap_or_else(|| !(index + 1).is_multiple_of(interval)),
            };
        let attends = index < owners
            && match recurs {
                Recurs::Between(_) => !is_recurrent,
                Recurs::Alone => is_alone(index),
                _ => !architecture.recurrent,
            };
        let (key, value) = heads.sizes[usize::from(window.is_some())];
        let mut layer = Layer {
            kv_heads: if attends { kv_heads } else { 0 },
            key,
            value: if is_latent { 0 } else { value },
            index: 0,
            window,
            state: if is_recurrent { state.saturating_add(state::n_grams(keys, index, width)?) } else { 0 },
        };
        layer.index = indexers.numbers(keys, index, &layer, is_latent);
        Ok(layer)
    };
    let kept = if GUESSES_KEPT.contains(&keys.architecture) { layers } else { run };
    let mut found = (0..kept).map(layer).collect::<Result<Vec<_>>>()?;
    match keys.architecture {
        // Its layers run several times, and keep something each time.
        "nanbeige" => found = found.repeat(keys.u32("num_loops")?.unwrap_or(1) as usize),
        // One more layer with one head chooses among adapters.
        "graniteswitch" => {
            let (key, value) = heads.sizes[0];
            found.push(Layer { kv_heads: 1, key, value, ..Layer::default() });
        }
        _ => {}
    }
    Ok(Some(found))
}

/// The layers from the first that keep keys and values of their own; those behind them use theirs.
fn owners(keys: &Keys<'_, '_>, layers: u32) -> Result<u32> {
    Ok(match keys.architecture {
        "gemma3n" => layers.min(20),
        "gemma4" => layers - keys.u32("attention.shared_kv_layers")?.unwrap_or(0).min(layers),
        _ => layers,
    })
}
