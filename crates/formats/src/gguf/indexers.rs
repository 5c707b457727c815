//! Indexers: small keys beside the cache, by which sparse attention picks the tokens that it looks at, as
//! `llama_kv_cache_dsa`, `llama_kv_cache_msa` and `llama_memory_hybrid_idx` of the pinned llama.cpp allocate them.

use trillm_core::Layer;

use super::keys::Keys;
use super::limits;
use crate::Result;

/// The indexers of a model.
pub(crate) struct Indexers {
    /// Numbers in a key.
    size: u32,
    /// Which layers have one.
    kind: Kind,
}

enum Kind {
    None,
    All,
    /// Those that the file names; of the others, those that the rule of GLM names, or all, or none.
    Listed(Unlisted),
    From(u32),
    Attending,
}

#[derive(Clone, Copy)]
enum Unlisted {
    All,
    /// The first two, and of the others one of four, up to the last layer of the model that was published.
    Glm,
    None,
}

impl Indexers {
    /// What the file says of them.
    pub(crate) fn read(keys: &Keys<'_, '_>) -> Result<Self> {
        let number = |key: &str| keys.u32(key).map(Option::unwrap_or_default);
        let size = number("attention.indexer.key_length")?;
        let kind = match keys.architecture {
            "deepseek32" => Kind::All,
            // Those with a million positions are newer.
            "glm-dsa" if number("context_length")? < 1 << 20 => Kind::Listed(Unlisted::All),
            "glm-dsa" => Kind::Listed(Unlisted::Glm),
            "glm5-next" => Kind::Listed(Unlisted::All),
            "hy_v4" if number("attention.indexer.top_k")? > 0 => Kind::Listed(Unlisted::None),
            "dots3note" => Kind::Listed(Unlisted::None),
            "minimax-m3" => Kind::From(number("leading_dense_block_count")?),
            "qwen4exp" => Kind::Attending,
            _ => Kind::None,
        };
        // Beside a key there are a gate and what they are pooled to, or that alone, if any layer pools.
        let rows = match keys.architecture {
            "glm5-next" => 3,
            "qwen4exp" if (0..limits::LAYERS).any(|layer| keys.flagged(RATIOS, layer) == Some(true)) => 2,
            _ => 1,
        };
        Ok(Self { size: size.saturating_mul(rows), kind })
    }

    /// Numbers that the one of a layer keeps of a token; zero without one. `is_latent` keeps keys alone.
    pub(crate) fn numbers(&self, keys: &Keys<'_, '_>, index: u32, layer: &Layer, is_latent: bool) -> u32 {
        let has = match self.kind {
            Kind::None => false,
            Kind::All => true,
            Kind::From(first) => index >= first,
            Kind::Attending => layer.kv_heads > 0,
            Kind::Listed(others) => keys.flagged("attention.indexer.types", index).unwrap_or(match others {
                Unlisted::All => true,
                Unlisted::Glm => index < 2 || (index < 78 && (index - 2).is_multiple_of(4)),
                Unlisted::None => false,
            }),
        };
        // It is made as a cache with one head: with the values of the model's size, and keys of that in windows.
        match keys.architecture {
            _ if !has => 0,
            "glm5-next" if layer.kv_heads == 0 => 0,
            "glm5-next" | "qwen4exp" => self.size,
            _ => layer.window.map_or(self.size, |_| layer.key).saturating_add(if is_latent { 0 } else { layer.value }),
        }
    }
}

const RATIOS: &str = "attention.compress_ratios";
