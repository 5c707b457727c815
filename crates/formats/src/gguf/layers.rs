//! What each layer of a GGUF model keeps of the tokens that it has seen, as `llama_kv_cache` and
//! `llama_memory_recurrent` of the pinned llama.cpp allocate it.

use trillm_core::Layer;

use super::architecture::Architecture;
use super::heads::Heads;
use super::keys::Keys;
use super::state::{self, Recurs};
use super::windows;
use crate::Result;

/// Caches with parts of other kinds beside keys and values (indexers, adapters), with layers that run several times, or
/// without a rule that was read here.
#[rustfmt::skip]
const OF_THEIR_OWN: &[&str] = &[
    "bailingmoe3", "deepseek32", "deepseek4", "dots3note", "glm-dsa", "glm5-next", "graniteswitch", "hrm_text", "hy_v4",
    "kimi-k3", "kimi-linear", "llama-embed", "minimax-01", "minimax-m3", "nanbeige", "qwen4exp", "t5", "t5encoder",
];

/// What a model of `layers` layers of `width` keeps; `None` if that is not known of its architecture.
pub(crate) fn read(
    keys: &Keys<'_, '_>,
    architecture: &Architecture,
    heads: &Heads,
    (layers, width): (u32, u32),
) -> Result<Option<Vec<Layer>>> {
    if OF_THEIR_OWN.contains(&keys.architecture) || keys.gguf.get(&keys.name("attention.recurrent_layers")).is_some() {
        return Ok(None);
    }
    if architecture.encoder {
        return Ok(Some(vec![Layer::default(); layers as usize]));
    }
    let windows = windows::read(keys, layers)?;
    let (recurs, state) = (state::recurs(keys, architecture.recurrent)?, state::bytes(keys, width)?);
    // Values are computed from the keys that are kept.
    let has = |key: &str| keys.u32(key).map(|size| size.is_some_and(|size| size > 0));
    let is_latent = has("attention.key_length_mla")? && has("attention.value_length_mla")?;
    let owners = owners(keys, layers)?;
    // Layers at the end that guess more tokens ahead are not run.
    let run = layers - keys.u32("nextn_predict_layers")?.unwrap_or(0).min(layers - 1);
    let layer = |index: u32| {
        let (window, kv_heads) = (windows[index as usize], heads.kv[index as usize]);
        let is_recurrent = match recurs {
            Recurs::None => false,
            Recurs::All => true,
            Recurs::WithoutHeads => kv_heads == 0,
            Recurs::Between(interval) => !(index + 1).is_multiple_of(interval),
        };
        let attends = index < owners && !(is_recurrent && matches!(recurs, Recurs::Between(_)));
        let (key, value) = heads.sizes[usize::from(window.is_some())];
        Layer {
            kv_heads: if attends { kv_heads } else { 0 },
            key,
            value: if is_latent { 0 } else { value },
            window,
            state: if is_recurrent { state } else { 0 },
        }
    };
    Ok(Some((0..run).map(layer).collect()))
}

/// The layers from the first that keep keys and values of their own; those behind them use theirs.
fn owners(keys: &Keys<'_, '_>, layers: u32) -> Result<u32> {
    Ok(match keys.architecture {
        "gemma3n" => layers.min(20),
        "gemma4" => layers - keys.u32("attention.shared_kv_layers")?.unwrap_or(0).min(layers),
        _ => layers,
    })
}
