//! What sizes a model: how many bytes its weights are, and how many the tokens take that it has seen.
//!
//! Readers of files fill it in and engines compute from it, so that a memory plan, a check before a cache is made and
//! what `show` prints are one arithmetic. Numbers are what the files say, or what is computed with them by rules that
//! were read in an engine's source; what is not known is `None`, and never a guess.

use std::collections::BTreeMap;

use crate::CacheType;

/// The sizes of a model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// Numbers in the hidden state of a token; zero if that is not known.
    pub width: u32,
    /// Rows of the embedding: the tokens that can be given; zero if that is not known. A tokenizer may have others.
    pub vocabulary: u32,
    /// What each layer keeps, in their order; `None` for an architecture whose cache has a form of its own.
    pub layers: Option<Vec<Layer>>,
    /// The type of cached numbers, if the model's files fix it: graphs do. `None` leaves it to the options.
    pub cache_type: Option<CacheType>,
    /// Bytes of the weights by the type that they are stored in.
    pub weights: BTreeMap<String, u64>,
}

/// What one layer keeps of the tokens that it has seen. By default, nothing: so do encoders, which see a text at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layer {
    /// Heads that keys and values are kept for: fewer than ask, where those share them; zero without attention.
    pub kv_heads: u32,
    /// Numbers in a key of one head.
    pub key: u32,
    /// Numbers in a value of one head; zero where values are computed from keys (latent attention).
    pub value: u32,
    /// Numbers that an indexer keeps beside them, to pick the tokens that are looked at; zero without one.
    pub index: u32,
    /// Positions that are looked at, the own one included; `None` looks at all. Engines keep the others too, so that
    /// prefixes can be shared and cut.
    pub window: Option<u32>,
    /// Bytes of a running state for each sequence: it does not grow with the text.
    pub state: u64,
}

impl Layer {
    /// Bytes of keys and values for one token.
    fn token_bytes(&self, kind: CacheType) -> u64 {
        let row = |heads: u32, size: u32| kind.bytes(u64::from(heads) * u64::from(size));
        row(self.kv_heads, self.key) + row(self.kv_heads, self.value) + row(1, self.index)
    }
}

impl Shape {
    /// Bytes that `tokens` tokens of `sequences` sequences take in all layers, keys and values being kept as `kind`, if
    /// that is left to the options. That is what engines allocate for so many cells, but for what they round up.
    pub fn cache_bytes(&self, tokens: u64, sequences: u32, kind: CacheType) -> Option<u64> {
        let kind = self.cache_type.unwrap_or(kind);
        let bytes = |layer: &Layer| {
            let states = layer.state.saturating_mul(sequences.into());
            layer.token_bytes(kind).saturating_mul(tokens).saturating_add(states)
        };
        self.layers.as_ref().map(|layers| layers.iter().map(bytes).fold(0, u64::saturating_add))
    }

    /// The type that most bytes of the weights are in; empty if there are none.
    pub fn dominant(&self) -> &str {
        self.weights.iter().max_by_key(|(_, bytes)| **bytes).map_or("", |(kind, _)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Layer = Layer { kv_heads: 3, key: 64, value: 64, index: 0, window: None, state: 0 };

    #[test]
    fn a_cache_grows_with_tokens_and_a_state_with_sequences() {
        let layers = vec![PLAIN, Layer { state: 1000, ..Layer::default() }, Layer { value: 0, ..PLAIN }];
        let shape = Shape { layers: Some(layers), ..Shape::default() };
        assert_eq!(shape.cache_bytes(100, 1, CacheType::F16), Some(3 * 3 * 64 * 2 * 100 + 1000));
        assert_eq!(shape.cache_bytes(100, 4, CacheType::F32), Some(3 * 3 * 64 * 4 * 100 + 4000));
        assert_eq!(shape.cache_bytes(32, 0, CacheType::Q8_0), Some(3 * 3 * 64 * 34));
        assert_eq!(shape.cache_bytes(32, 0, CacheType::Q4_0), Some(3 * 3 * 64 * 18));
        assert_eq!(shape.cache_bytes(u64::MAX, 1, CacheType::F16), Some(u64::MAX));
        let indexed = Shape { layers: Some(vec![Layer { index: 32, ..PLAIN }]), ..Shape::default() };
        assert_eq!(indexed.cache_bytes(100, 1, CacheType::F16), Some((3 * 64 * 2 + 32) * 2 * 100));
        assert_eq!(Shape::default().cache_bytes(100, 1, CacheType::F16), None);
        let fixed = Shape { cache_type: Some(CacheType::F32), ..shape };
        assert_eq!(fixed.cache_bytes(100, 1, CacheType::F16), fixed.cache_bytes(100, 1, CacheType::F32));
    }
}
