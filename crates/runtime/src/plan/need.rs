//! The parts of what a model needs, in bytes.

use trillm_core::{Layer, ModelInfo, Shape};

/// What a model takes beside what its process has without it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Need {
    /// Weights that stay in their files, mapped.
    pub weights_mapped: u64,
    /// Weights in memory of the process's own: read, copied, or rearranged.
    pub weights_private: u64,
    /// Keys and values, running states; `None` for an architecture whose cache has a form of its own.
    pub cache: Option<u64>,
    /// What a step computes in; `None` where that is not known.
    pub compute: Option<u64>,
    /// The scores of a step.
    pub scores: u64,
    /// The vocabulary, with all that finds tokens in it.
    pub tokenizer: u64,
    /// What the engine keeps whatever the model: its own tables, stacks of its threads.
    pub runtime: u64,
    /// Code of the engine, mapped.
    pub runtime_mapped: u64,
    /// What only loading takes: it is given back before a cache is filled.
    pub loading: u64,
    /// What the reader should know: what is not counted.
    pub notes: Vec<String>,
}

impl Need {
    /// Bytes of the process's own at the most; at least so many, where a part is `None`.
    pub fn private(&self) -> u64 {
        let run = [self.cache.unwrap_or(0), self.compute.unwrap_or(0), self.scores];
        let run = run.into_iter().fold(0, u64::saturating_add);
        let kept = [self.weights_private, self.tokenizer, self.runtime, run.max(self.loading)];
        kept.into_iter().fold(0, u64::saturating_add)
    }

    /// Bytes of files that are resident at the most.
    pub fn mapped(&self) -> u64 {
        self.weights_mapped.saturating_add(self.runtime_mapped)
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.private().saturating_add(self.mapped())
    }

    /// Whether every part is known.
    pub fn is_whole(&self) -> bool {
        self.cache.is_some() && self.compute.is_some()
    }

    /// The same for so many sessions of one model: each has a cache of its own, what it computes in, and a copy of so many
    /// bytes of the weights. What else there is of the weights, and the tokenizer, they have in common.
    pub(super) fn for_sessions(self, count: u32, copied: u64) -> Self {
        let times = |bytes: u64| bytes.saturating_mul(count.into());
        let more = copied.saturating_mul(u64::from(count.saturating_sub(1)));
        Self {
            weights_private: self.weights_private.saturating_add(more),
            cache: self.cache.map(times),
            compute: self.compute.map(times),
            scores: times(self.scores),
            runtime: times(self.runtime),
            ..self
        }
    }

    /// Notes which parts are not counted.
    pub(super) fn say_unknown(mut self) -> Self {
        for (part, known) in [("keys and values", self.cache), ("what a step computes in", self.compute)] {
            if known.is_none() {
                self.notes.push(format!("{part} of this model are not counted: how much that is, is not known"));
            }
        }
        self
    }
}

/// Bytes of the tokenizer that is read from `tokenizer.json`, kept and while it is read.
///
/// Measured of two, of 3.4 and 3.5 MB, with 128,000 words and with 49,152 words and as many merges: what is kept takes
/// 1.1 times the file's length, and reading it 2.3 times.
pub(super) fn tokenizer(shape: &Shape) -> (u64, u64) {
    let bytes = shape.tokenizer_bytes;
    (bytes.saturating_mul(11) / 10, bytes.saturating_mul(12) / 10)
}

/// Numbers of a row that everything of a layer is computed from: wide enough that no product of a few of them, as files
/// and options may have them, is too large.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    /// Of the hidden state.
    pub(super) hidden: u128,
    /// Of all queries.
    pub(super) query: u128,
    /// Of all keys, or all values.
    pub(super) kv: u128,
    /// Between the two parts of a feed-forward network.
    pub(super) inner: u128,
    /// Heads that ask.
    pub(super) heads: u128,
}

impl Widths {
    /// Those of a decoder; `None` where one is not known, and for layers that are none of a plain transformer.
    pub(super) fn of(info: &ModelInfo) -> Option<Self> {
        let shape = &info.shape;
        let layers = shape.layers.as_deref()?;
        let is_plain = layers.iter().all(|layer| layer.state == 0 && layer.index == 0);
        let kept = |layer: &Layer| u128::from(layer.kv_heads) * u128::from(layer.key);
        let widest = layers.iter().max_by_key(|layer| kept(layer)).filter(|layer| layer.value > 0)?;
        let heads = u128::from(shape.heads);
        let found = Self {
            hidden: shape.width.into(),
            query: heads * u128::from(widest.key),
            kv: kept(widest),
            inner: shape.inner()?.into(),
            heads,
        };
        (is_plain && found.hidden > 0 && found.heads > 0).then_some(found)
    }
}

/// As many bytes, or more than there can be.
pub(super) fn bytes(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
