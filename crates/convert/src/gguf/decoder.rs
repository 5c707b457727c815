//! A decoder's shape in the keys of a GGUF file.
//!
//! Read: what `llama-model.cpp` takes from each key, with its defaults. Written: the keys that
//! `convert_hf_to_gguf.py` writes. What GGUF has no key for is implied by the architecture there (Gemma's embedding
//! scale, `SmolLM3`'s layers without positions), so it is compared with what is implied.

use trillm_formats::gguf::{Array, Value as Found};
use trillm_formats::huggingface::{Attention, Decoder, Rope, RopeScaling};

use super::{Header, Keys, Value};
use crate::family::Architecture;
use crate::rope::{Llama3, llama3_divisors, llama3_scaling};
use crate::{Error, Result};

/// Layers between two that have no positions: `n_no_rope_layer_step` of `smollm3.cpp`.
const NO_ROPE_STEP: usize = 4;
/// The yarn parameters where a file says none.
const BETA_FAST: f32 = 32.0;
const BETA_SLOW: f32 = 1.0;
/// How far numbers may be off that were computed from each other in 32 bits.
const TOLERANCE: f32 = 1e-4;

/// What tensors say of a decoder, and keys do not.
pub(crate) struct Present<'t> {
    /// Whether there is a tensor of this name.
    pub(crate) has: &'t dyn Fn(&str) -> bool,
    /// The numbers of a small tensor, if it is there.
    pub(crate) read: &'t mut dyn FnMut(&str) -> Result<Option<Vec<f32>>>,
    /// Rows of the embedding.
    pub(crate) vocabulary: u32,
}

/// Reads a decoder's shape, and says in `notes` what transformers applies and llama.cpp does not.
pub(crate) fn read(
    keys: &Keys<'_, '_>,
    architecture: &Architecture,
    present: &mut Present<'_>,
    notes: &mut Vec<String>,
) -> Result<Decoder> {
    let causal = keys.name("attention.causal");
    if keys.flag(&causal)? == Some(false) {
        return Err(Error::unsupported(causal, false, "true: a model that generates text, or its states alone"));
    }
    if let Some(experts @ 1..) = keys.number("expert_count")? {
        return Err(Error::unsupported(keys.name("expert_count"), experts, "a model without experts"));
    }
    let kind = architecture.gguf;
    let gemma = architecture.norm_adds_one();
    let width = keys.required("embedding_length")?;
    let heads = keys.required("attention.head_count")?.max(1);
    let head = keys.number("attention.key_length")?.unwrap_or(width / heads);
    if let Some(value) = keys.number("attention.value_length")?.filter(|&value| value != head) {
        return Err(Error::unsupported(keys.name("attention.value_length"), value, format!("{head}, as for keys")));
    }
    let count = keys.required("block_count")? as usize;
    let context = keys.required("context_length")?;
    let rope = read_rope(keys, head, context, present)?;
    if rope.dimensions != head && kind != "phi3" {
        let expected = format!("{head}, the size of a head");
        return Err(Error::unsupported(keys.name("rope.dimension_count"), rope.dimensions, expected));
    }
    if kind == "phi3" && !matches!(rope.scaling, RopeScaling::None | RopeScaling::LongRope { .. }) {
        let found = keys.get("rope.scaling.type").map_or_else(|| "another than Phi-3's".into(), ToString::to_string);
        let expected =
            "none, or the tensors rope_factors_long and rope_factors_short: transformers scales no Phi-3 otherwise";
        return Err(Error::unsupported("the rope scaling", found, expected));
    }
    let mut ropes = vec![rope];
    if kind == "gemma2"
        && let Some(theta) = keys.float("rope.freq_base_swa")?.filter(|&theta| !close(theta, ropes[0].theta))
    {
        let expected = format!("{}, as for all layers", ropes[0].theta);
        return Err(Error::unsupported(keys.name("rope.freq_base_swa"), theta, expected));
    }
    if kind == "gemma3" {
        let theta = keys.float("rope.freq_base_swa")?.unwrap_or(10_000.0);
        ropes.push(Rope { theta, dimensions: head, scaling: RopeScaling::None });
    }
    if kind == "granite" {
        keys.float("logit_scale")?.ok_or_else(|| Error::missing(keys.name("logit_scale"), "a number"))?;
        let rotates = keys.name("rope.scaling.finetuned");
        if keys.flag(&rotates)? == Some(false) {
            return Err(Error::unsupported(rotates, false, "true: transformers rotates in every Granite model"));
        }
    }
    let scale = |key: &str| keys.float(key).map(|scale| scale.unwrap_or(1.0));
    let cap = |key: &str, default| match kind {
        "gemma2" => Ok(keys.float(key)?.or(Some(default))),
        _ => Ok::<_, Error>(None),
    };
    let decoder = Decoder {
        family: architecture.family,
        model_type: architecture.model_type.into(),
        width,
        heads,
        kv_heads: keys.number("attention.head_count_kv")?.unwrap_or(heads),
        head,
        feed_forward: keys.required("feed_forward_length")?,
        vocabulary: present.vocabulary,
        context,
        norm_epsilon: keys
            .float("attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| Error::missing(keys.name("attention.layer_norm_rms_epsilon"), "a number"))?,
        causal: true,
        norm_adds_one: gemma,
        tied: !(present.has)("output.weight"),
        headless: false,
        layers: read_layers(keys, kind, count)?,
        ropes,
        activation: architecture.activation(),
        qkv_bias: (present.has)("blk.0.attn_q.bias") || (present.has)("blk.0.attn_qkv.bias"),
        output_bias: (present.has)("blk.0.attn_output.bias"),
        mlp_bias: (present.has)("blk.0.ffn_down.bias"),
        qk_norm: (present.has)("blk.0.attn_q_norm.weight"),
        post_norms: gemma,
        fused: kind == "phi3",
        attention_scale: match keys.float("attention.scale")?.filter(|&scale| kind == "granite" && scale != 0.0) {
            Some(scale) => scale,
            None => implied_attention_scale(kind, count, width, heads, head),
        },
        attention_cap: cap("attn_logit_softcapping", 50.0)?,
        logit_cap: match kind {
            "gemma3" => keys.float("final_logit_softcapping")?.filter(|&cap| cap != 0.0),
            _ => cap("final_logit_softcapping", 30.0)?,
        },
        embedding_scale: if gemma { (width as f32).sqrt() } else { scale("embedding_scale")? },
        residual_scale: scale("residual_scale")?,
        logit_scale: 1.0 / scale("logit_scale")?,
    };
    check_biases(&decoder, kind)?;
    if let Some(window) = decoder.layers.iter().find_map(|layer| layer.window)
        && kind == "phi3"
        && window < context
    {
        notes.push(format!(
            "the folder has the sliding window of {window} tokens, which llama.cpp does not apply to Phi-3: it attends to all tokens"
        ));
    }
    Ok(decoder)
}

/// Refuses biases in places where transformers has them all or none.
fn check_biases(decoder: &Decoder, kind: &str) -> Result<()> {
    let Decoder { qkv_bias, output_bias, mlp_bias, .. } = *decoder;
    let expected = match kind {
        "qwen2" => (true, false, false),
        "phi3" => (false, false, false),
        "llama" | "granite" | "smollm3" => (qkv_bias, qkv_bias, mlp_bias),
        _ => (qkv_bias, qkv_bias, false),
    };
    if (qkv_bias, output_bias, mlp_bias) == expected {
        return Ok(());
    }
    let tell = |(queries, output, inner): (bool, bool, bool)| {
        let at = [(queries, "attn_q"), (output, "attn_output"), (inner, "ffn_down")];
        let at: Vec<&str> = at.into_iter().filter_map(|(biased, part)| biased.then_some(part)).collect();
        if at.is_empty() { "none".into() } else { format!("those of {}", at.join(", ")) }
    };
    let found = tell((qkv_bias, output_bias, mlp_bias));
    Err(Error::unsupported("the biases of a layer", found, format!("{}, as transformers has them", tell(expected))))
}

/// What scores are multiplied by where no key says it (`f_attention_scale` of `gemma2.cpp` and `gemma3.cpp`).
fn implied_attention_scale(kind: &str, layers: usize, width: u32, heads: u32, head: u32) -> f32 {
    let size = if matches!((kind, layers), ("gemma2", 46) | ("gemma3", 62)) { width / heads } else { head };
    (size as f32).sqrt().recip()
}

fn read_rope(keys: &Keys<'_, '_>, head: u32, context: u32, present: &mut Present<'_>) -> Result<Rope> {
    let gemma3 = keys.architecture() == "gemma3";
    let theta = keys.float("rope.freq_base")?.unwrap_or(if gemma3 { 1_000_000.0 } else { 10_000.0 });
    let dimensions = keys.number("rope.dimension_count")?.unwrap_or(head);
    let original = keys.number("rope.scaling.original_context_length")?;
    let factor =
        keys.float("rope.scaling.factor")?.or(keys.float("rope.scale_linear")?).filter(|&factor| factor != 0.0);
    let name = keys.name("rope.scaling.type");
    // Linear is what llama.cpp takes a bare factor for.
    let kind = keys.text(&name)?.unwrap_or(if factor.is_some() { "linear" } else { "none" });

    let long = (present.read)("rope_factors_long.weight")?;
    let short = (present.read)("rope_factors_short.weight")?;
    let divisors = (present.read)("rope_freqs.weight")?;
    let attention_factor = keys.float("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if long.is_none() && kind != "yarn" && !close(attention_factor, 1.0) {
        let expected = "1: transformers has it for yarn and longrope alone";
        return Err(Error::unsupported(keys.name("rope.scaling.attn_factor"), attention_factor, expected));
    }
    let scaling = match (long.zip(short), divisors) {
        (Some((long, short)), _) => {
            RopeScaling::LongRope { short, long, attention_factor, original_context: original.unwrap_or(context) }
        }
        (None, Some(divisors)) => llama3_scaling(theta, dimensions, &divisors)?,
        (None, None) => match kind {
            "none" => RopeScaling::None,
            "linear" => match factor {
                Some(factor) if !close(factor, 1.0) => RopeScaling::Linear { factor },
                _ => RopeScaling::None,
            },
            "yarn" => {
                let factor = factor.ok_or_else(|| Error::missing(keys.name("rope.scaling.factor"), "a number"))?;
                for key in ["yarn_ext_factor", "yarn_attn_factor", "attn_factor", "yarn_log_multiplier"] {
                    let key = format!("rope.scaling.{key}");
                    if let Some(found) = keys.get(&key) {
                        return Err(Error::unsupported(keys.name(&key), found, "no such key: the usual value"));
                    }
                }
                RopeScaling::Yarn {
                    factor,
                    attention_factor: yarn_attention(factor),
                    beta_fast: keys.float("rope.scaling.yarn_beta_fast")?.unwrap_or(BETA_FAST),
                    beta_slow: keys.float("rope.scaling.yarn_beta_slow")?.unwrap_or(BETA_SLOW),
                    original_context: original.unwrap_or((context as f32 / factor) as u32),
                    truncate: true,
                }
            }
            other => return Err(Error::unsupported(name, format!("{other:?}"), "none, linear or yarn")),
        },
    };
    Ok(Rope { theta, dimensions, scaling })
}

/// What yarn multiplies scores by, unless a model says otherwise.
fn yarn_attention(factor: f32) -> f32 {
    if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 }
}

fn read_layers(keys: &Keys<'_, '_>, kind: &str, count: usize) -> Result<Vec<Attention>> {
    let window = match (kind, keys.number("attention.sliding_window")?) {
        // The window of the others is not used by llama.cpp, nor written by anyone.
        ("gemma2" | "gemma3" | "phi3", window) => window.or((kind == "gemma2").then_some(4096)),
        _ => None,
    };
    let window = window.filter(|&window| window > 0);
    let key = "attention.sliding_window_pattern";
    let windowed: Vec<bool> = match keys.get(key) {
        _ if kind == "phi3" => vec![true; count],
        None => implied_windows(kind, count),
        Some(Found::U32(step)) => every(*step as usize, count),
        Some(Found::Array(Array::Numbers { bytes, .. })) if bytes.len() == count => {
            bytes.iter().map(|&byte| byte != 0).collect()
        }
        Some(found) => return Err(Error::unsupported(keys.name(key), found, "a number, or a boolean for each layer")),
    };
    Ok(windowed
        .into_iter()
        .enumerate()
        .map(|(layer, windowed)| Attention {
            window: window.filter(|_| windowed),
            rope: match kind {
                "smollm3" => ((layer + 1) % NO_ROPE_STEP != 0).then_some(0),
                "gemma3" if windowed && window.is_some() => Some(1),
                _ => Some(0),
            },
        })
        .collect())
}

/// Which layers have a window where no key says it: all but each second or sixth (`load_swa_pattern`).
fn implied_windows(kind: &str, count: usize) -> Vec<bool> {
    match kind {
        "gemma2" => every(2, count),
        "gemma3" => every(6, count),
        _ => vec![false; count],
    }
}

fn every(step: usize, count: usize) -> Vec<bool> {
    (1..=count).map(|layer| step != 0 && layer % step != 0).collect()
}

/// Writes a decoder's shape, and says in `notes` what GGUF has no key for. Returns the divisors of rotary wavelengths,
/// which are tensors: their names and numbers.
pub(crate) fn write(
    decoder: &Decoder,
    architecture: &Architecture,
    header: &mut Header,
    notes: &mut Vec<String>,
) -> Result<Vec<(&'static str, Vec<f32>)>> {
    let kind = architecture.gguf;
    let gemma = architecture.norm_adds_one();
    let mut set = |key: &str, value: Value| header.set(format!("{kind}.{key}"), value);
    set("vocab_size", decoder.vocabulary.into());
    set("context_length", decoder.context.into());
    set("embedding_length", decoder.width.into());
    set("block_count", (decoder.layers.len() as u32).into());
    set("feed_forward_length", decoder.feed_forward.into());
    set("attention.head_count", decoder.heads.into());
    set("attention.head_count_kv", decoder.kv_heads.into());
    set("attention.layer_norm_rms_epsilon", decoder.norm_epsilon.into());
    if gemma || kind == "qwen3" || decoder.head * decoder.heads != decoder.width {
        set("attention.key_length", decoder.head.into());
        set("attention.value_length", decoder.head.into());
    }
    if let Some(cap) = decoder.attention_cap {
        set("attn_logit_softcapping", cap.into());
    }
    if let Some(cap) = decoder.logit_cap {
        set("final_logit_softcapping", cap.into());
    }
    let implied = implied_attention_scale(kind, decoder.layers.len(), decoder.width, decoder.heads, decoder.head);
    if kind == "granite" {
        set("attention.scale", decoder.attention_scale.into());
        set("embedding_scale", decoder.embedding_scale.into());
        set("residual_scale", decoder.residual_scale.into());
        set("logit_scale", reciprocal(decoder.logit_scale).into());
    } else if !close(decoder.attention_scale, implied) {
        let expected = format!("{implied}, which llama.cpp computes with");
        return Err(Error::unsupported("the scale of attention", decoder.attention_scale, expected));
    }
    write_windows(decoder, kind, &mut set, notes);
    if matches!(decoder.ropes.first(), Some(Rope { scaling: RopeScaling::LongRope { .. }, .. })) {
        notes.push("llama.cpp chooses between short and long factors by the size of its context, not of a text".into());
    }
    write_rope(decoder, kind, &mut set)
}

/// 1 / `scale`, which itself was rounded when it was made from a whole number.
pub(crate) fn reciprocal(scale: f32) -> f32 {
    let exact = scale.recip();
    if close(exact, exact.round()) { exact.round() } else { exact }
}

fn close(found: f32, expected: f32) -> bool {
    (found - expected).abs() <= TOLERANCE * expected.abs()
}

fn write_windows(decoder: &Decoder, kind: &str, set: &mut dyn FnMut(&str, Value), notes: &mut Vec<String>) {
    let window = decoder.layers.iter().find_map(|layer| layer.window);
    match (kind, window) {
        ("phi3", _) => {
            set("attention.sliding_window", window.unwrap_or(0).into());
            if window.is_some_and(|window| window < decoder.context) {
                notes.push("llama.cpp does not apply the sliding window of Phi-3: it attends to all tokens".into());
            }
        }
        // llama.cpp has windows in every Gemma 2, so one that reaches over the whole context stands for none.
        ("gemma2", None) => set("attention.sliding_window", decoder.context.into()),
        ("gemma2" | "gemma3", Some(window)) => {
            set("attention.sliding_window", window.into());
            let windowed: Vec<bool> = decoder.layers.iter().map(|layer| layer.window.is_some()).collect();
            if windowed != implied_windows(kind, windowed.len()) {
                set("attention.sliding_window_pattern", windowed.into());
            }
        }
        (_, Some(window)) => notes.push(format!(
            "the sliding window of {window} tokens was left out: llama.cpp attends to all tokens in a {kind} model"
        )),
        (_, None) => {}
    }
}

fn write_rope(
    decoder: &Decoder,
    kind: &str,
    set: &mut dyn FnMut(&str, Value),
) -> Result<Vec<(&'static str, Vec<f32>)>> {
    if kind == "smollm3" {
        let rotated: Vec<bool> = decoder.layers.iter().map(|layer| layer.rope.is_some()).collect();
        if rotated != every(NO_ROPE_STEP, rotated.len()) {
            let found = format!("{} of {} layers", rotated.iter().filter(|rotated| **rotated).count(), rotated.len());
            let expected = "all but each fourth layer, which llama.cpp computes with";
            return Err(Error::unsupported("the layers with positions", found, expected));
        }
    }
    let of_layer = |windowed: bool| {
        let layer = decoder.layers.iter().find(|layer| layer.window.is_some() == windowed && layer.rope.is_some());
        layer.and_then(|layer| decoder.ropes.get(layer.rope?))
    };
    let rope = of_layer(false).or(of_layer(true));
    let rope = rope.ok_or_else(|| Error::missing("a rotary embedding", "one that a layer uses"))?;
    set("rope.dimension_count", rope.dimensions.into());
    set("rope.freq_base", rope.theta.into());
    let unsupported = |what: &str, expected: &str| Err(Error::unsupported("the rope scaling", what, expected));
    if kind == "gemma3"
        && let Some(local) = of_layer(true)
    {
        if local.scaling != RopeScaling::None {
            return unsupported("one of layers with a window", "none there: llama.cpp scales the others alone");
        }
        set("rope.freq_base_swa", local.theta.into());
    }
    match (&rope.scaling, kind) {
        (RopeScaling::None, "phi3") => set("rope.scaling.original_context_length", decoder.context.into()),
        // llama.cpp changes no wavelengths as a text grows, and up to the context nobody does.
        (RopeScaling::None | RopeScaling::Dynamic { .. }, _) => {}
        (RopeScaling::Linear { factor }, _) => {
            set("rope.scaling.type", "linear".into());
            set("rope.scaling.factor", (*factor).into());
        }
        (&RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }, "llama") => {
            let scaling = Llama3 { factor, low_freq_factor, high_freq_factor, original_context };
            return Ok(vec![("rope_freqs.weight", llama3_divisors(rope.theta, rope.dimensions, &scaling))]);
        }
        (RopeScaling::Llama3 { .. }, _) => {
            return unsupported("llama3", "another: llama.cpp knows llama3 for the architecture llama alone");
        }
        (RopeScaling::Yarn { truncate: false, .. }, _) => {
            return unsupported("yarn without truncation", "yarn with truncation, which llama.cpp computes with");
        }
        (&RopeScaling::Yarn { factor, attention_factor, beta_fast, beta_slow, original_context, .. }, _) => {
            if !close(attention_factor, yarn_attention(factor)) {
                let expected = format!("{}, which llama.cpp computes with", yarn_attention(factor));
                return Err(Error::unsupported("the attention factor of yarn", attention_factor, expected));
            }
            set("rope.scaling.type", "yarn".into());
            set("rope.scaling.factor", factor.into());
            set("rope.scaling.original_context_length", original_context.into());
            if !close(beta_fast, BETA_FAST) {
                set("rope.scaling.yarn_beta_fast", beta_fast.into());
            }
            if !close(beta_slow, BETA_SLOW) {
                set("rope.scaling.yarn_beta_slow", beta_slow.into());
            }
        }
        (RopeScaling::LongRope { short, long, attention_factor, original_context }, "phi3") => {
            set("rope.scaling.original_context_length", (*original_context).into());
            set("rope.scaling.attn_factor", (*attention_factor).into());
            return Ok(vec![("rope_factors_long.weight", long.clone()), ("rope_factors_short.weight", short.clone())]);
        }
        (RopeScaling::LongRope { .. }, _) => {
            return unsupported("longrope", "another: llama.cpp knows longrope for the architecture phi3 alone");
        }
    }
    Ok(Vec::new())
}
