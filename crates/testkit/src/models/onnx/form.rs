//! The forms that exporters give graphs.

/// What a graph takes and gives. Ids, positions and mask are 64-bit integers, all else 32-bit floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnnxForm {
    /// As optimum and `torch.onnx.export` write it: `input_ids`, `attention_mask`, `position_ids` and
    /// `past_key_values.N.key` and `.value`, `[batch, heads, past, head]`; to `logits`, and `present.N.key` and
    /// `.value`, which are the past with the new positions after it. Padding may be on either side.
    Grown,
    /// As the model builder of onnxruntime-genai writes it: `GroupQueryAttention`, whose past and present may be one
    /// buffer; no `position_ids`, since it counts the mask. Padding must be on the right. The weights are in
    /// `model.onnx.data`, and `genai_config.json` stands for the two other files with a configuration.
    Shared,
    /// Without a cache: `input_ids`, `attention_mask` and `position_ids` to `logits`.
    NoCache,
    /// As [`Grown`](Self::Grown), but with keys and values in one: `past_N` to `present_N`, `[2, batch, heads, past,
    /// head]`, as exports of GPT-2 have it.
    Joined,
    /// As [`Grown`](Self::Grown), but with two branches, as optimum's merged decoders: the past counts only if
    /// `use_cache_branch`, `[1]`, is true. That branch is right for one token at a time, as in exports of 2023, which
    /// were traced with one.
    Merged,
    /// `input_ids` and `attention_mask` to `last_hidden_state`, `[batch, sequence, width]`. Causal like the others.
    Encoder,
    /// As [`Grown`](Self::Grown), but what stands in a row of a table is added to each token by its position, as in
    /// GPT-2. The table has [`POSITIONS`](Self::POSITIONS) rows, whatever the configuration says, all of them zero: so
    /// the scores are those of `Grown`, and a longer sequence is an error of the runtime.
    Placed,
    /// [`Encoder`](Self::Encoder) with the table of [`Placed`](Self::Placed).
    PlacedEncoder,
}

impl OnnxForm {
    /// The longest sequence of [`Placed`](Self::Placed) and [`PlacedEncoder`](Self::PlacedEncoder).
    pub const POSITIONS: u32 = 32;
    /// Every form of the whole model.
    pub const ALL: [Self; 6] = [Self::Grown, Self::Shared, Self::NoCache, Self::Joined, Self::Merged, Self::Encoder];

    /// Whether it ends before the scores.
    pub(super) fn gives_vectors(self) -> bool {
        matches!(self, Self::Encoder | Self::PlacedEncoder)
    }

    /// Whether positions end with a table.
    pub(super) fn has_table(self) -> bool {
        matches!(self, Self::Placed | Self::PlacedEncoder)
    }
}
