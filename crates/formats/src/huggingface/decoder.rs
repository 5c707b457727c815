//! A decoder's shape, in terms that one implementation runs: families differ in values, not in code.

use trillm_core::Layer;

use super::family::Family;
use super::fields::Fields;
use super::layers::{self, Attention};
use super::rope::{self, Rope};
use crate::{Error, Result};

/// The function between the two halves of the feed-forward part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activation {
    /// x · sigmoid(x).
    Silu,
    /// Gelu by its tanh approximation (`gelu_pytorch_tanh`, `gelu_new`).
    GeluTanh,
    /// Gelu by the error function (`gelu`).
    Gelu,
}

/// A decoder of one of the families.
#[derive(Clone, PartialEq, Debug)]
pub struct Decoder {
    /// The family.
    pub family: Family,
    /// `model_type`, as the file says it.
    pub model_type: String,
    /// Width of the hidden state.
    pub width: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; divides `heads`.
    pub kv_heads: u32,
    /// Size of one head.
    pub head: u32,
    /// Width of the feed-forward part.
    pub feed_forward: u32,
    /// Rows of the embedding.
    pub vocabulary: u32,
    /// The longest sequence trained for (`max_position_embeddings`).
    pub context: u32,
    /// Added to the mean square in norms.
    pub norm_epsilon: f32,
    /// Tokens see only those before them; not so in decoders that were trained to embed (`is_causal`,
    /// `use_bidirectional_attention`).
    pub causal: bool,
    /// Norms multiply by 1 + weight (Gemma).
    pub norm_adds_one: bool,
    /// The output matrix is the embedding: the config or its family's default says so, and the file has no other.
    pub tied: bool,
    /// Nobody asks for scores of tokens: the model makes vectors or labels, and writes no text.
    pub headless: bool,
    /// Rotary embeddings that layers use: one, or two for Gemma 3.
    pub ropes: Vec<Rope>,
    /// How each layer attends; its length is the number of layers.
    pub layers: Vec<Attention>,
    /// Activation of the feed-forward part.
    pub activation: Activation,
    /// Query, key and value projections have biases.
    pub qkv_bias: bool,
    /// The attention's output projection has a bias.
    pub output_bias: bool,
    /// The feed-forward projections have biases.
    pub mlp_bias: bool,
    /// Queries and keys are normalised per head before rotation (Qwen 3, Gemma 3).
    pub qk_norm: bool,
    /// A second norm after attention and after the feed-forward part, before each is added (Gemma 2 and 3).
    pub post_norms: bool,
    /// One matrix holds query, key and value rows, one holds gate and up rows (Phi-3).
    pub fused: bool,
    /// What scores are multiplied by before the softmax: 1/√head, `query_pre_attn_scalar`^-½, `attention_multiplier`.
    pub attention_scale: f32,
    /// Scores become c · tanh(score / c) (Gemma 2's `attn_logit_softcapping`).
    pub attention_cap: Option<f32>,
    /// Logits become c · tanh(logit / c) (Gemma 2's `final_logit_softcapping`).
    pub logit_cap: Option<f32>,
    /// Embeddings are multiplied by this (Gemma: √width; Granite: `embedding_multiplier`).
    pub embedding_scale: f32,
    /// What attention and feed-forward add is multiplied by this (Granite's `residual_multiplier`).
    pub residual_scale: f32,
    /// Logits are multiplied by this (Granite: 1 / `logits_scaling`).
    pub logit_scale: f32,
}

/// The widest matrix side that is believed, but for the vocabulary.
pub(super) const WIDTH: u32 = 1 << 20;
/// The largest vocabulary that is believed.
pub(super) const VOCABULARY: u32 = 1 << 24;

impl Decoder {
    /// Reads a decoder from `config`: the whole file, or its `text_config`, which may leave out what is the default.
    pub(super) fn read(config: &Fields<'_>, family: Family, model_type: &str, nested: bool) -> Result<Self> {
        let defaults = family.defaults();
        // Only Gemma 3's files leave these out.
        let size = |key, most, gemma3: u32| {
            let default = (nested && family == Family::Gemma3).then_some(gemma3);
            let size = config.count(key, 1, most)?.or(default);
            size.ok_or_else(|| config.missing(key, format!("a whole number from 1 to {most}")))
        };
        let width = size("hidden_size", WIDTH, 2304)?;
        let heads = size("num_attention_heads", WIDTH, 8)?;
        let count = size("num_hidden_layers", layers::LAYERS, 26)?;
        let kv_heads = match config.raw("num_key_value_heads") {
            None => defaults.kv_heads.unwrap_or(heads),
            Some(_) => config.count("num_key_value_heads", 1, WIDTH)?.unwrap_or(heads),
        };
        if !heads.is_multiple_of(kv_heads) {
            let expected = format!("a divisor of the {heads} heads");
            return Err(config.wrong("num_key_value_heads", kv_heads.to_string(), expected));
        }
        let head = head(config, width, heads, defaults.head)?;
        let context = config.count("max_position_embeddings", 1, rope::CONTEXT)?.unwrap_or(defaults.context);
        let around = rope::Around { family, head, context, theta: defaults.theta };
        let flag = |key| Ok::<_, Error>(config.flag(key)?.unwrap_or(false));
        let both_ways = family.is_gemma() && flag("use_bidirectional_attention")?;
        // The library takes it there as a hint, which holds for some lengths and not for others.
        if both_ways && family == Family::Gemma2 {
            return Err(config.wrong("use_bidirectional_attention", "true", "false in this family"));
        }
        let layers = layers::read(config, family, count, both_ways)?;
        let causal = !both_ways && config.flag("is_causal")?.unwrap_or(true);
        if !causal && !both_ways && layers.iter().any(|layer| layer.window.is_some()) {
            return Err(config.wrong("is_causal", "false", "true where layers see a window"));
        }
        let bias = match family {
            Family::Mistral | Family::Qwen2 | Family::Phi3 => false,
            _ => flag("attention_bias")?,
        };
        let mlp_bias = matches!(family, Family::Llama | Family::SmolLm3 | Family::Granite) && flag("mlp_bias")?;
        let scales = Scales::read(config, family, width, head)?;
        Ok(Self {
            family,
            model_type: model_type.into(),
            width,
            heads,
            kv_heads,
            head,
            feed_forward: size("intermediate_size", WIDTH, 9216)?,
            vocabulary: size("vocab_size", VOCABULARY, 262_208)?,
            context,
            norm_epsilon: config.positive("rms_norm_eps")?.unwrap_or(defaults.epsilon) as f32,
            causal,
            norm_adds_one: family.is_gemma(),
            tied: config.flag("tie_word_embeddings")?.unwrap_or(defaults.tied),
            headless: false,
            ropes: rope::read(config, &around)?,
            layers,
            activation: activation(config, family)?,
            qkv_bias: bias || family == Family::Qwen2,
            output_bias: bias,
            mlp_bias,
            qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
            post_norms: family.is_gemma(),
            fused: family == Family::Phi3,
            attention_scale: scales.attention,
            attention_cap: scales.attention_cap,
            logit_cap: scales.logit_cap,
            embedding_scale: scales.embedding,
            residual_scale: scales.residual,
            logit_scale: scales.logit,
        })
    }
}

impl Decoder {
    /// What each layer keeps.
    pub(crate) fn kept(&self) -> Vec<Layer> {
        let layer = |attention: &Attention| Layer {
            kv_heads: self.kv_heads,
            key: self.head,
            value: self.head,
            window: attention.window,
            ..Layer::default()
        };
        self.layers.iter().map(layer).collect()
    }
}

/// `head_dim`, or the family's, or the width divided by the heads.
fn head(config: &Fields<'_>, width: u32, heads: u32, default: Option<u32>) -> Result<u32> {
    let head = match config.count("head_dim", 1, WIDTH)?.or(default) {
        Some(head) => head,
        None if width.is_multiple_of(heads) => width / heads,
        None => {
            let found = format!("{heads} for a width of {width}");
            return Err(config.wrong("num_attention_heads", found, "a divisor of the width, or a head_dim"));
        }
    };
    if head % 2 != 0 || head.checked_mul(heads).is_none_or(|all| all > WIDTH) {
        let found = format!("{head} for {heads} heads");
        return Err(config.wrong("head_dim", found, format!("an even number, and at most {WIDTH} with all heads")));
    }
    Ok(head)
}

fn activation(config: &Fields<'_>, family: Family) -> Result<Activation> {
    let (key, default) =
        if family.is_gemma() { ("hidden_activation", "gelu_pytorch_tanh") } else { ("hidden_act", "silu") };
    Activation::read(config, key, default)
}

impl Activation {
    /// By the names that transformers has for them.
    pub(super) fn read(config: &Fields<'_>, key: &'static str, default: &str) -> Result<Self> {
        match config.text(key)?.unwrap_or(default) {
            "silu" | "swish" => Ok(Self::Silu),
            "gelu_pytorch_tanh" | "gelu_new" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => Ok(Self::GeluTanh),
            "gelu" | "gelu_python" => Ok(Self::Gelu),
            other => Err(config.wrong(key, format!("{other:?}"), "silu, gelu, gelu_new or gelu_pytorch_tanh")),
        }
    }
}

/// Numbers that a family multiplies by, and where it caps.
struct Scales {
    attention: f32,
    attention_cap: Option<f32>,
    logit_cap: Option<f32>,
    embedding: f32,
    residual: f32,
    logit: f32,
}

impl Scales {
    fn read(config: &Fields<'_>, family: Family, width: u32, head: u32) -> Result<Self> {
        let mut scales = Self {
            attention: f64::from(head).powf(-0.5) as f32,
            attention_cap: None,
            logit_cap: None,
            embedding: 1.0,
            residual: 1.0,
            logit: 1.0,
        };
        if family.is_gemma() {
            // `null` caps nothing; Gemma 3 caps nothing by default.
            let cap = |key, default| match config.raw(key) {
                None => Ok((family == Family::Gemma2).then_some(default)),
                Some(_) => Ok::<_, Error>(config.positive(key)?.map(|cap| cap as f32)),
            };
            scales.attention = config.positive("query_pre_attn_scalar")?.unwrap_or(256.0).powf(-0.5) as f32;
            // Gemma 3 has the key from its predecessor, and neither transformers 5.24 nor llama.cpp does anything with it.
            let attention_cap = cap("attn_logit_softcapping", 50.0)?;
            scales.attention_cap = attention_cap.filter(|_| family == Family::Gemma2);
            scales.logit_cap = cap("final_logit_softcapping", 30.0)?;
            scales.embedding = f64::from(width).sqrt() as f32;
        }
        if family == Family::Granite {
            let scale = |key| Ok::<_, Error>(config.positive(key)?.unwrap_or(1.0));
            scales.attention = scale("attention_multiplier")? as f32;
            scales.embedding = scale("embedding_multiplier")? as f32;
            scales.residual = scale("residual_multiplier")? as f32;
            scales.logit = (1.0 / scale("logits_scaling")?) as f32;
            if !scales.logit.is_finite() {
                return Err(config.wrong("logits_scaling", "a number close to 0", "one that can be divided by"));
            }
        }
        Ok(scales)
    }
}
