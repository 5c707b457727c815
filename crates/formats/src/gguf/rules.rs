//! What single architectures assert beyond the rest, taken from `src/models/*.cpp` of the pinned llama.cpp.
//!
//! The list holds what the headers of a file can violate in architectures that are in use. Some rules of rare ones
//! (sparse-attention indexers, hyper-connections) are not here.

use super::keys::Keys;
use super::limits;
use crate::Result;

/// Checks a model of `layers` layers of `width`.
pub(crate) fn check(keys: &Keys<'_, '_>, layers: u32, width: u32) -> Result<()> {
    let number = |key: &str| keys.u32(key).map(Option::unwrap_or_default);
    match keys.architecture {
        // Its positions depend on the size of the model, which it guesses from the layers.
        "baichuan" if layers != 32 && layers != 40 => keys.wrong("block_count", layers, "32 or 40"),
        "bailingmoe2" | "glm4moe" | "grovemoe" | "llada-moe" | "lfm2moe" | "smallthinker"
            if number("expert_count")? == 0 =>
        {
            keys.wrong("expert_count", 0, "a number above zero")
        }
        "ernie4_5-moe" if number("interleave_moe_layer_step")? == 0 => {
            keys.wrong("interleave_moe_layer_step", 0, "a number above zero")
        }
        "gemma-embedding" => {
            for key in ["dense_2_feat_in", "dense_3_feat_out"] {
                let size = number(key)?;
                if size != 0 && size != width {
                    return keys.wrong(key, size, format!("{width}, the width of the model"));
                }
            }
            Ok(())
        }
        "gemma4" => keys.within("attention.shared_kv_layers", 0..=layers.saturating_sub(2)).map(drop),
        "grovemoe" => keys.required("experts_per_group", 1..=number("expert_count")?).map(drop),
        "lfm2" => keys.required("shortconv.l_cache", 2..=1024).map(drop),
        "nanbeige" => keys.within("num_loops", 1..=limits::LAYERS / layers).map(drop),
        "granitehybrid" | "jamba" => {
            let inner = number("ssm.inner_size")?;
            if inner != 0 && u64::from(inner) != 2 * u64::from(width) {
                return keys.wrong("ssm.inner_size", inner, format!("twice the width of {width}"));
            }
            state_space(keys, keys.architecture == "granitehybrid")
        }
        "falcon-h1" | "mamba2" | "nemotron_h" | "nemotron_h_moe" | "plamo2" => state_space(keys, true),
        "qwen35" | "qwen35moe" | "qwen3next" => {
            let groups = keys.required("ssm.group_count", 1..=u32::MAX)?;
            let rank = keys.required("ssm.time_step_rank", 1..=u32::MAX)?;
            if rank % groups != 0 {
                return keys.wrong("ssm.time_step_rank", rank, format!("a multiple of {groups}, the group count"));
            }
            Ok(())
        }
        "arwkv7" | "rwkv6" | "rwkv6qwen2" | "rwkv7" => wkv(keys, width),
        "deepseek2" | "deepseek2-ocr" | "mistral4" => latent(keys),
        _ => Ok(()),
    }
}

/// Mamba-2 scans: the inner width is cut into heads and groups.
fn state_space(keys: &Keys<'_, '_>, heads: bool) -> Result<()> {
    let inner = keys.required("ssm.inner_size", 1..=u32::MAX)?;
    let rank = keys.required("ssm.time_step_rank", 1..=u32::MAX)?;
    if heads && inner % rank != 0 {
        return keys.wrong("ssm.time_step_rank", rank, format!("a divisor of {inner}, the inner size"));
    }
    match (keys.architecture, keys.u32("ssm.group_count")?) {
        ("plamo2", Some(groups)) if groups != 0 => keys.wrong("ssm.group_count", groups, "0"),
        ("plamo2" | "jamba", _) => Ok(()),
        (_, groups) if groups.is_none_or(|groups| groups == 0 || inner % groups != 0) => {
            keys.wrong("ssm.group_count", groups.unwrap_or(0), format!("a divisor of {inner}, the inner size"))
        }
        _ => Ok(()),
    }
}

/// RWKV: the width is cut into heads, and each step looks at one token before it, or two.
fn wkv(keys: &Keys<'_, '_>, width: u32) -> Result<()> {
    let size = keys.required("wkv.head_size", 1..=width)?;
    if !width.is_multiple_of(size) {
        return keys.wrong("wkv.head_size", size, format!("a divisor of {width}, the width of the model"));
    }
    let shifts = keys.u32("token_shift_count")?;
    let expected = if matches!(keys.architecture, "rwkv6" | "rwkv7") { 2 } else { 1 };
    match shifts {
        Some(found) if found != expected => keys.wrong("token_shift_count", found, expected.to_string()),
        _ => Ok(()),
    }
}

/// Multi-head latent attention: part of each key has positions, and part must be without.
fn latent(keys: &Keys<'_, '_>) -> Result<()> {
    let key = match keys.u32("attention.key_length_mla")? {
        Some(0) | None => keys.u32("attention.key_length")?,
        size => size,
    };
    match (key, keys.u32("rope.dimension_count")?) {
        (Some(key), Some(rope)) if keys.u32("attention.kv_lora_rank")?.is_some() && rope >= key => {
            keys.wrong("rope.dimension_count", rope, format!("less than {key}, the size of a key"))
        }
        _ => Ok(()),
    }
}
