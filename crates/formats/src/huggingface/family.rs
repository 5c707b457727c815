//! Families of decoders, and what each takes for granted: values that transformers' `configuration_*.py` has where a file says nothing.

/// The families that are understood. What sets one apart is spelled out in [`Decoder`](super::Decoder)'s other fields; the family
/// remains for names of tensors and for conversion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the families'")]
pub enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    SmolLm3,
    Gemma2,
    Gemma3,
    Phi3,
    Granite,
}

/// Defaults of a family, and what its code does that no key says. From transformers 5.23.
pub(super) struct Defaults {
    /// `num_key_value_heads` where the key is absent; `None` is as many as heads.
    pub(super) kv_heads: Option<u32>,
    /// `head_dim`; `None` is the width divided by the heads.
    pub(super) head: Option<u32>,
    /// `max_position_embeddings`.
    pub(super) context: u32,
    /// `rms_norm_eps`.
    pub(super) epsilon: f64,
    /// `rope_theta`.
    pub(super) theta: f64,
    /// `tie_word_embeddings`.
    pub(super) tied: bool,
}

impl Family {
    /// All families, by the `model_type` of a text model.
    pub(super) const MODEL_TYPES: [(&'static str, Family); 10] = [
        ("llama", Family::Llama),
        ("mistral", Family::Mistral),
        ("qwen2", Family::Qwen2),
        ("qwen3", Family::Qwen3),
        ("smollm3", Family::SmolLm3),
        ("gemma2", Family::Gemma2),
        ("gemma3_text", Family::Gemma3),
        ("gemma3", Family::Gemma3),
        ("phi3", Family::Phi3),
        ("granite", Family::Granite),
    ];

    pub(super) fn of(model_type: &str) -> Option<Self> {
        Self::MODEL_TYPES.iter().find(|(name, _)| *name == model_type).map(|(_, family)| *family)
    }

    /// Gemma 2 and 3 share what sets them apart from the others.
    pub(super) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    pub(super) fn defaults(self) -> Defaults {
        let plain = Defaults { kv_heads: None, head: None, context: 2048, epsilon: 1e-6, theta: 10_000.0, tied: false };
        match self {
            Self::Llama | Self::Granite => plain,
            Self::Mistral => Defaults { kv_heads: Some(8), context: 131_072, ..plain },
            Self::Qwen2 => Defaults { kv_heads: Some(32), context: 32_768, ..plain },
            Self::Qwen3 => Defaults { kv_heads: Some(32), head: Some(128), context: 32_768, ..plain },
            Self::SmolLm3 => Defaults { kv_heads: Some(4), context: 32_768, theta: 2_000_000.0, tied: true, ..plain },
            Self::Gemma2 => Defaults { kv_heads: Some(4), head: Some(256), context: 8192, tied: true, ..plain },
            Self::Gemma3 => Defaults {
                kv_heads: Some(4),
                head: Some(256),
                context: 131_072,
                theta: 1_000_000.0,
                tied: true,
                ..plain
            },
            Self::Phi3 => Defaults { context: 4096, epsilon: 1e-5, ..plain },
        }
    }
}
