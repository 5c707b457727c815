//! Hyper-parameters: the numbers that size a model, as `llama_model_base::load_hparams` reads and asserts them.

use trillm_core::{Layer, Pipeline, Pooling, Purpose};

use super::architecture::Architecture;
use super::keys::Keys;
use super::value::Value;
use super::{Gguf, heads, layers, limits, rules};
use crate::{Error, Result};

/// Divisors and loop counts: zero would stop the process.
const POSITIVE: &[&str] = &[
    "attention.group_norm_groups",
    "attention.indexer.block_size",
    "attention.output_group_count",
    "attention.relative_buckets_count",
    "experts_per_group",
    "full_attention_interval",
    "hrm.h_cycles",
    "hrm.l_cycles",
    "hrm.layers_per_stack",
    "kda.head_dim",
    "ssm.conv_kernel",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
    "wkv.head_size",
];

/// Small numbers under square roots, which ggml asserts not to be negative; and factors that it divides by unless zero.
const NOT_NEGATIVE: &[&str] = &[
    "attention.group_norm_epsilon",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "hyper_connection.epsilon",
    "rope.scale_linear",
    "rope.scaling.factor",
];

/// Numbers that go through a logarithm.
const ABOVE_ZERO: &[&str] = &["rope.freq_base", "rope.freq_base_swa"];

/// Architectures whose positions have several parts. ggml asserts that not all of those are empty.
const SECTIONED: &[&str] = &["paddleocr", "qwen2vl", "qwen35", "qwen35moe", "qwen3vl", "qwen3vlmoe", "qwen4exp"];

/// What the rest of the code wants to know of them.
pub(crate) struct Hyper {
    pub(crate) layers: u32,
    pub(crate) width: u32,
    pub(crate) context: u32,
    /// Heads that ask, in the layer that has the most.
    pub(crate) heads: u32,
    /// What each layer keeps, if that is known of the architecture.
    pub(crate) kept: Option<Vec<Layer>>,
    pub(crate) purpose: Purpose,
    /// `None` for a model that ranks pairs of texts.
    pub(crate) pipeline: Option<Pipeline>,
    pub(crate) notes: Vec<String>,
}

/// The architecture's name.
pub(crate) fn architecture<'a>(gguf: &Gguf<'a>) -> Result<&'a str> {
    const KEY: &str = "general.architecture";
    let expected = || "the name of an architecture".into();
    gguf.text(KEY)?.ok_or_else(|| Error::MissingKey { key: KEY.into(), expected: expected() })
}

/// Reads and checks all of them.
pub(crate) fn read(gguf: &Gguf<'_>) -> Result<Hyper> {
    let name = architecture(gguf)?;
    let architecture = Architecture::find(name)?;
    let keys = Keys { gguf, architecture: name };

    let layers = keys.required("block_count", 1..=limits::LAYERS)?;
    let width = keys.required("embedding_length", 1..=limits::WIDTH)?;
    let context = keys.required("context_length", 1..=limits::CONTEXT)?;
    keys.within("embedding_length_out", 0..=limits::WIDTH)?;
    keys.within("nextn_predict_layers", 0..=layers - 1)?;
    keys.within("leading_dense_block_count", 0..=layers)?;
    keys.layered("attention.sliding_window", layers, limits::CONTEXT)?;
    keys.layered("feed_forward_length", layers, 1 << 24)?;
    for key in POSITIVE {
        keys.within(key, 1..=limits::CONTEXT)?;
    }
    floats(&keys)?;
    rope(&keys)?;
    experts(&keys, layers)?;
    let heads = heads::read(&keys, &architecture, layers, width)?;
    rules::check(&keys, layers, width)?;
    let kept = layers::read(&keys, &architecture, &heads, (layers, width))?;

    let mut notes = Vec::new();
    // The file does not name a class. What llama.cpp generates with is called `…ForCausalLM` in transformers, but for T5.
    let unstated = Pooling::unstated(!architecture.encoder && name != "t5");
    let pipeline = pipeline(&keys, unstated, &mut notes)?;
    let purpose = match pipeline {
        None => Purpose::Labels,
        Some(_) if architecture.encoder => Purpose::Vectors,
        Some(_) => Purpose::Text,
    };
    Ok(Hyper { layers, width, context, heads: heads.most, kept, purpose, pipeline, notes })
}

/// Every float of the architecture is finite and, where that matters, not negative or not zero.
fn floats(keys: &Keys<'_, '_>) -> Result<()> {
    for (key, value) in keys.gguf.keys() {
        let Some(key) = key.strip_prefix(keys.architecture).and_then(|key| key.strip_prefix('.')) else { continue };
        let number = match value {
            Value::F32(number) => f64::from(*number),
            Value::F64(number) => *number,
            _ => continue,
        };
        if !number.is_finite() {
            return keys.wrong(key, value, "a finite number");
        }
        if number < 0.0 && NOT_NEGATIVE.contains(&key) {
            return keys.wrong(key, value, "zero or above");
        }
        if number <= 0.0 && ABOVE_ZERO.contains(&key) {
            return keys.wrong(key, value, "a number above zero");
        }
    }
    Ok(())
}

/// Rotary positions: llama.cpp asserts that it knows the kind of scaling, and that positions in parts have any.
fn rope(keys: &Keys<'_, '_>) -> Result<()> {
    const SCALING: &str = "rope.scaling.type";
    const SECTIONS: &str = "rope.dimension_sections";
    let scaling = keys.gguf.text(&keys.name(SCALING))?;
    if let Some(scaling) = scaling.filter(|scaling| !["none", "linear", "yarn", "longrope"].contains(scaling)) {
        return keys.wrong(SCALING, format_args!("{scaling:?}"), "none, linear, yarn or longrope");
    }
    let sections: Option<Vec<i32>> = match keys.gguf.get(&keys.name(SECTIONS)) {
        Some(Value::Array(sections)) => Some(sections.words().map(i32::from_le_bytes).collect()),
        _ => None,
    };
    let is_sound = |sizes: &Vec<i32>| sizes.len() <= 4 && sizes.iter().all(|&size| (0..=1 << 20).contains(&size));
    if let Some(sizes) = sections.as_ref().filter(|sizes| !is_sound(sizes)) {
        return keys.wrong(SECTIONS, format_args!("{sizes:?}"), "up to four sizes, none below zero");
    }
    let used = sections.is_some_and(|sizes| sizes.iter().take(3).any(|&size| size > 0));
    if SECTIONED.contains(&keys.architecture) && !used {
        return keys.wrong(SECTIONS, "none above zero", "four sizes, the first three not all zero");
    }
    Ok(())
}

/// Mixtures of experts: counts and groups, all asserted.
fn experts(keys: &Keys<'_, '_>, layers: u32) -> Result<()> {
    let experts = keys.within("expert_count", 0..=limits::EXPERTS)?.unwrap_or(0);
    // Two architectures write a single expert for none and have llama.cpp forget it.
    let single = matches!(keys.architecture, "hunyuan_vl" | "hunyuan-dense") && experts <= 1;
    if !single {
        let used = keys.layered("expert_used_count", layers, experts)?.unwrap_or_default();
        if experts > 0 && used.iter().all(|&used| used == 0) {
            return keys.wrong("expert_used_count", 0, format!("a number from 1 to {experts}"));
        }
    }
    let groups = keys.within("expert_group_count", 0..=experts.saturating_sub(1))?.unwrap_or(0);
    if groups > 1 {
        if experts % groups != 0 {
            return keys.wrong("expert_group_count", groups, format!("a divisor of {experts}, the number of experts"));
        }
        keys.required("expert_group_used_count", 1..=groups - 1)?;
    }
    keys.within("expert_gating_func", 1..=4)?;
    Ok(())
}

/// How vectors for tokens become one for a text; `unstated` where the file does not say. A number that llama.cpp does not
/// know aborts it.
fn pipeline(keys: &Keys<'_, '_>, unstated: Pooling, notes: &mut Vec<String>) -> Result<Option<Pipeline>> {
    keys.within("classifier.pooling_type", 0..=4)?;
    let stated = |way| Pipeline { stated: true, pooling: vec![way], ..Pipeline::default() };
    Ok(match keys.within("pooling_type", 0..=4)? {
        Some(1) => Some(stated(Pooling::Mean)),
        Some(2) => Some(stated(Pooling::First)),
        Some(3) => Some(stated(Pooling::Last)),
        Some(4) => {
            notes.push("the model ranks pairs of texts (pooling type 4), which is not supported".into());
            None
        }
        _ => Some(Pipeline { pooling: vec![unstated], ..Pipeline::default() }),
    })
}
