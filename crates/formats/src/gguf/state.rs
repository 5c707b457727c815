//! Running states of layers without attention, as `llama_hparams::n_embd_r` and `n_embd_s` of the pinned llama.cpp size
//! them: what a convolution looks back on, and what a recurrence carries on.

use super::keys::Keys;
use crate::Result;

/// Which layers have one.
pub(crate) enum Recurs {
    None,
    /// All; whether they attend besides, their heads say.
    All,
    /// Those that keep no keys and values.
    WithoutHeads,
    /// All but one of so many, the last.
    Between(u32),
}

/// How an architecture has its states.
pub(crate) fn recurs(keys: &Keys<'_, '_>, recurrent: bool) -> Result<Recurs> {
    Ok(match keys.architecture {
        name if recurrent || name == "falcon-h1" => Recurs::All,
        "granitehybrid" | "jamba" | "lfm2" | "lfm2moe" | "nemotron_h" | "nemotron_h_moe" | "plamo2" => {
            Recurs::WithoutHeads
        }
        "qwen35" | "qwen35moe" | "qwen3next" => Recurs::Between(keys.u32("full_attention_interval")?.unwrap_or(4)),
        _ => Recurs::None,
    })
}

/// Bytes of the state of one layer, which is kept in 32-bit numbers.
pub(crate) fn bytes(keys: &Keys<'_, '_>, width: u32) -> Result<u64> {
    let number = |key: &str| keys.u32(key).map(|number| u64::from(number.unwrap_or(0)));
    let width = u64::from(width);
    let (head, convolved) = (number("wkv.head_size")?, number("shortconv.l_cache")?);
    let numbers = if head > 0 {
        // How many tokens before it a token is mixed with.
        let shifts = match keys.u32("token_shift_count")? {
            Some(shifts) => u64::from(shifts),
            None if matches!(keys.architecture, "rwkv6" | "rwkv7") => 2,
            None => 1,
        };
        shifts.saturating_mul(width).saturating_add(width.saturating_mul(head))
    } else if convolved > 0 {
        width.saturating_mul(convolved - 1)
    } else {
        let (inner, state) = (number("ssm.inner_size")?, number("ssm.state_size")?);
        let groups = number("ssm.group_count")?;
        let columns = inner.saturating_add(2u64.saturating_mul(groups).saturating_mul(state));
        let before = number("ssm.conv_kernel")?.saturating_sub(1);
        before.saturating_mul(columns).saturating_add(state.saturating_mul(inner))
    };
    Ok(numbers.saturating_mul(4))
}
