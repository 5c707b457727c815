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
    /// Heads that ask, in the layers that have the most; zero if that is not known.
    pub heads: u32,
    /// The matrices that rows are multiplied with, those of one form together: not the embedding, unless it gives the
    /// scores too, and no vectors. Empty if that is not known.
    pub products: Vec<Product>,
    /// Bytes of weights that lie where numbers of their type cannot be read, or not in rows: engines copy them.
    pub unaligned: u64,
    /// Words of the tokenizer, and pairs that it merges, where they are in the file with the weights; else zero.
    pub entries: u64,
    /// Bytes of `tokenizer.json`; zero without it.
    pub tokenizer_bytes: u64,
    /// Each step gives the whole cache anew: so do graphs whose cache has no buffer of its own.
    pub grows: bool,
    /// Scores of all tokens of a step are computed, not of the last alone: graphs say so.
    pub all_scores: bool,
}

/// Matrices of one form that rows of numbers are multiplied with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Product {
    /// The type that they are stored in, by the name that it has in [`Shape::weights`].
    pub kind: String,
    /// Numbers that come out.
    pub rows: u64,
    /// Numbers that go in.
    pub columns: u64,
    /// Matrices in one tensor: one, but for experts.
    pub experts: u64,
    /// Bytes of all of this form.
    pub bytes: u64,
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

    /// Counts a tensor of matrices in.
    pub fn add_product(&mut self, product: Product) {
        let form = |it: &Product| (it.rows, it.columns, it.experts);
        let same = |it: &&mut Product| form(it) == form(&product) && it.kind == product.kind;
        match self.products.iter_mut().find(same) {
            Some(known) => known.bytes = known.bytes.saturating_add(product.bytes),
            None => self.products.push(product),
        }
    }

    /// The most numbers that go into a matrix at once, which are those between the two parts of a feed-forward network.
    /// `None` where that is not known: of experts several run, and how many tokens come to each depends on the text.
    pub fn inner(&self) -> Option<u64> {
        if self.products.iter().any(|product| product.experts > 1) {
            return None;
        }
        self.products.iter().map(|product| product.columns).max()
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
    fn matrices_of_one_form_are_counted_together() {
        let form =
            |kind: &str, columns, experts, bytes| Product { kind: kind.into(), rows: 8, columns, experts, bytes };
        let mut shape = Shape::default();
        assert_eq!(shape.inner(), None);
        for product in [form("F16", 4, 1, 64), form("Q8_0", 32, 1, 272), form("F16", 4, 1, 64)] {
            shape.add_product(product);
        }
        assert_eq!(shape.products, [form("F16", 4, 1, 128), form("Q8_0", 32, 1, 272)]);
        assert_eq!(shape.inner(), Some(32));
        shape.add_product(form("F16", 64, 2, 2048));
        assert_eq!(shape.inner(), None);
    }

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
