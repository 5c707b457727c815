//! Attention heads: how many, how wide. llama.cpp divides by these and asserts that tensors fit each other.

use super::architecture::Architecture;
use super::keys::Keys;
use super::limits;
use crate::{Error, Result};

/// The most heads: sixteen times the most that are known.
const MAX_HEADS: u32 = 4096;

/// The heads that keys and values are kept for.
pub(crate) struct Heads {
    /// How many ask, in the first layer: states are cut into as many.
    pub(crate) first: u32,
    /// How many ask, in the layer that has the most.
    pub(crate) most: u32,
    /// How many, in each layer; zero without attention.
    pub(crate) kv: Vec<u32>,
    /// Numbers in a key and in a value of one; and the same in layers with a window, where they may be others.
    pub(crate) sizes: [(u32, u32); 2],
}

/// Reads and checks them for a model of `layers` layers of `width`.
pub(crate) fn read(keys: &Keys<'_, '_>, architecture: &Architecture, layers: u32, width: u32) -> Result<Heads> {
    const HEADS: &str = "attention.head_count";
    const KV_HEADS: &str = "attention.head_count_kv";
    let heads = keys.layered(HEADS, layers, MAX_HEADS)?;
    let Some(heads) = heads.filter(|heads| heads.iter().any(|&count| count > 0)) else {
        return match architecture.recurrent {
            true => Ok(Heads { first: 0, most: 0, kv: vec![0; layers as usize], sizes: [(0, 0); 2] }),
            false if keys.gguf.get(&keys.name(HEADS)).is_some() => keys.wrong(HEADS, 0, "a number above zero"),
            false => Err(Error::MissingKey { key: keys.name(HEADS), expected: "a number above zero".into() }),
        };
    };
    let kv_heads = keys.layered(KV_HEADS, layers, MAX_HEADS)?.unwrap_or_else(|| heads.clone());
    for (key, counts) in [(HEADS, &heads), (KV_HEADS, &kv_heads)] {
        let none = !architecture.attention_in_some_layers && !architecture.recurrent;
        if none && let Some(layer) = counts.iter().position(|&count| count == 0) {
            return keys.wrong(key, format_args!("0 for layer {layer}"), "numbers above zero");
        }
        let one = !architecture.heads_by_layer && !architecture.recurrent;
        if one && let Some(other) = counts.iter().find(|&&count| count != counts[0]) {
            return keys.wrong(key, format_args!("{} and {other}", counts[0]), "one number for all layers");
        }
    }
    for (layer, (&heads, &kv_heads)) in heads.iter().zip(&kv_heads).enumerate() {
        if kv_heads > 0 && heads % kv_heads != 0 {
            return keys.wrong(KV_HEADS, kv_heads, format!("a divisor of {heads}, the heads of layer {layer}"));
        }
    }
    let most = heads.iter().copied().max().unwrap_or(0);
    Ok(Heads { first: heads[0], most, sizes: sizes(keys, architecture, heads[0], width)?, kv: kv_heads })
}

/// Numbers in a key and in a value: in all layers and, where they are told apart, in those with a sliding window.
fn sizes(keys: &Keys<'_, '_>, architecture: &Architecture, heads: u32, width: u32) -> Result<[(u32, u32); 2]> {
    const KEY: &str = "attention.key_length";
    const VALUE: &str = "attention.value_length";
    const ROPE: &str = "rope.dimension_count";
    let mut found = [(0, 0); 2];
    if heads == 0 {
        return Ok(found);
    }
    let default = width / heads;
    let size = |name: &str, default: u32| Ok::<_, Error>(keys.within(name, 1..=limits::WIDTH)?.unwrap_or(default));
    let (mut key, mut value) = (size(KEY, default)?, size(VALUE, default)?);
    if key == 0 || value == 0 {
        return keys.wrong("attention.head_count", heads, format!("at most {width}, the width of the model"));
    }
    let mut rope = keys.within(ROPE, 0..=limits::WIDTH)?.unwrap_or(key);
    for (suffix, found) in ["", "_swa"].into_iter().zip(&mut found) {
        key = size(&format!("{KEY}{suffix}"), key)?;
        value = size(&format!("{VALUE}{suffix}"), value)?;
        let rope_key = format!("{ROPE}{suffix}");
        rope = keys.within(&rope_key, 0..=limits::WIDTH)?.unwrap_or(rope);
        if architecture.equal_heads && key != value {
            return keys.wrong(&format!("{VALUE}{suffix}"), value, format!("{key}, the size of a key"));
        }
        if architecture.whole_rope && rope != key {
            return keys.wrong(&rope_key, rope, format!("{key}, the size of a head"));
        }
        if rope > key || rope % 2 != 0 {
            return keys.wrong(&rope_key, rope, format!("an even number up to {key}, the size of a head"));
        }
        *found = (key, value);
    }
    Ok(found)
}
