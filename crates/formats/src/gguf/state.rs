//! Running states of layers without attention, as `llama_hparams::n_embd_r` and `n_embd_s` of the pinned llama.cpp size
//! them: what a convolution looks back on, and what a recurrence carries on.

use super::heads::Heads;
use super::keys::Keys;
use super::value::Value;
use crate::Result;

/// Which layers have one.
pub(crate) enum Recurs {
    None,
    /// All; whether they attend besides, their heads say.
    All,
    /// Those that keep no keys and values.
    WithoutHeads,
    /// Of those that keep no keys and values, the ones without a feed-forward network, which stands alone in others.
    Alone,
    /// All but one of so many, the last; or those that a list names.
    Between(u32),
}

/// How an architecture has its states.
pub(crate) fn recurs(keys: &Keys<'_, '_>, recurrent: bool) -> Result<Recurs> {
    let interval = |default: u32| Ok::<_, crate::Error>(keys.u32("full_attention_interval")?.unwrap_or(default));
    Ok(match keys.architecture {
        name if recurrent || name == "falcon-h1" => Recurs::All,
        "bailingmoe3" | "glm5-next" | "granitehybrid" | "jamba" | "kimi-k3" | "kimi-linear" | "lfm2" | "lfm2moe"
        | "plamo2" => Recurs::WithoutHeads,
        "nemotron_h" | "nemotron_h_moe" => Recurs::Alone,
        "minimax-01" => Recurs::Between(interval(8)?),
        "qwen35" | "qwen35moe" | "qwen3next" | "qwen4exp" => Recurs::Between(interval(4)?),
        _ => Recurs::None,
    })
}

/// Bytes of the state of one layer, which is kept in 32-bit numbers.
pub(crate) fn bytes(keys: &Keys<'_, '_>, heads: &Heads, width: u32) -> Result<u64> {
    let number = |key: &str| keys.u32(key).map(|number| u64::from(number.unwrap_or(0)));
    let (width, heads, size) = (u64::from(width), u64::from(heads.first), u64::from(heads.sizes[0].0));
    let square = |head: u64| head.saturating_mul(head).saturating_mul(heads);
    let (head, convolved, delta) = (number("wkv.head_size")?, number("shortconv.l_cache")?, number("kda.head_dim")?);
    let numbers = if head > 0 {
        // How many tokens before it a token is mixed with.
        let shifts = u64::from(keys.u32("token_shift_count")?.unwrap_or(2));
        shifts.saturating_mul(width).saturating_add(width.saturating_mul(head))
    } else if convolved > 0 {
        width.saturating_mul(convolved - 1)
    } else if delta > 0 {
        // Queries, keys and values are convolved.
        let before = number("ssm.conv_kernel")?.saturating_sub(1);
        3u64.saturating_mul(before).saturating_mul(delta.saturating_mul(heads)).saturating_add(square(delta))
    } else if keys.architecture == "minimax-01" {
        square(size)
    } else {
        let (inner, state) = (number("ssm.inner_size")?, number("ssm.state_size")?);
        // The first of their kind have none.
        let groups = if matches!(keys.architecture, "jamba" | "mamba") { 0 } else { number("ssm.group_count")? };
        let columns = inner.saturating_add(2u64.saturating_mul(groups).saturating_mul(state));
        let before = number("ssm.conv_kernel")?.saturating_sub(1);
        before.saturating_mul(columns).saturating_add(state.saturating_mul(inner))
    };
    Ok(numbers.saturating_mul(4))
}

/// Bytes that one layer of qwen4exp keeps besides: what the convolution over its embeddings of n-grams looks back on.
pub(crate) fn n_grams(keys: &Keys<'_, '_>, layer: u32, width: u32) -> Result<u64> {
    let number = |key: &str| keys.u32(key).map(|number| u64::from(number.unwrap_or(0)));
    let is_theirs = match keys.gguf.get(&keys.name("ple.layers")) {
        Some(Value::Array(layers)) => layers.words().any(|word| u32::from_le_bytes(word) == layer),
        _ => false,
    };
    if keys.architecture != "qwen4exp" || !is_theirs {
        return Ok(0);
    }
    let before = number("ple.conv_kernel")?.saturating_sub(1);
    let numbers = before.saturating_mul(number("ple.ngram_size")?).saturating_mul(number("hyper_connection.count")?);
    Ok(numbers.saturating_mul(u64::from(width)).saturating_mul(4))
}
