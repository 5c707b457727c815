//! `config.json` and `generation_config.json`, as transformers 5 writes them and 4 still reads them.
//!
//! Rotary embeddings are said twice: `rope_parameters` is what version 5 reads, `rope_theta` and `rope_scaling` what
//! others do. Gemma 3 is the exception: version 5 would apply a `rope_scaling` beside its parameters of two kinds of
//! layers, so it is left out, and version 4 reads its larger models (4B and up) without their linear scaling.

use serde_json::{Map, Value, json};
use trillm_core::{Defaults, Setting};
use trillm_formats::huggingface::{Decoder, Rope, RopeScaling};

use crate::Dtype;
use crate::family::{Architecture, name_of};
use crate::gguf::reciprocal;
use crate::left_out::left_out;
use crate::vocabulary::Vocabulary;

/// `config.json`. A model without a `name` is called by its folder.
pub(crate) fn config(
    decoder: &Decoder,
    architecture: &Architecture,
    vocabulary: &Vocabulary,
    dtype: Dtype,
    name: Option<&str>,
) -> Value {
    let mut out = Map::new();
    let mut set = |key: &str, value: Value| out.insert(key.into(), value);
    if let Some(name) = name {
        set("_name_or_path", name.into());
    }
    let dtype = match dtype {
        Dtype::Bf16 => "bfloat16",
        Dtype::F16 => "float16",
        Dtype::F32 => "float32",
    };
    set("architectures", json!([architecture.class]));
    set("model_type", architecture.model_type.into());
    set("dtype", dtype.into());
    set("torch_dtype", dtype.into());
    set("vocab_size", decoder.vocabulary.into());
    set("hidden_size", decoder.width.into());
    set("intermediate_size", decoder.feed_forward.into());
    set("num_hidden_layers", decoder.layers.len().into());
    set("num_attention_heads", decoder.heads.into());
    set("num_key_value_heads", decoder.kv_heads.into());
    set("head_dim", decoder.head.into());
    set("max_position_embeddings", decoder.context.into());
    set("rms_norm_eps", number(decoder.norm_epsilon));
    set("tie_word_embeddings", decoder.tied.into());
    set("use_cache", true.into());
    set("bos_token_id", vocabulary.special.bos.into());
    set("eos_token_id", ends(vocabulary));
    set("pad_token_id", vocabulary.special.padding.into());
    let activation = name_of(decoder.activation).into();
    set(if decoder.norm_adds_one { "hidden_activation" } else { "hidden_act" }, activation);
    set_family(decoder, architecture, &mut set);
    set_rope(decoder, architecture, &mut set);
    out.into()
}

fn set_family(decoder: &Decoder, architecture: &Architecture, set: &mut dyn FnMut(&str, Value) -> Option<Value>) {
    let window = decoder.layers.iter().find_map(|layer| layer.window);
    match architecture.gguf {
        "llama" | "granite" | "smollm3" => {
            set("attention_bias", decoder.qkv_bias.into());
            set("mlp_bias", decoder.mlp_bias.into());
        }
        "qwen2" => {
            set("use_sliding_window", false.into());
        }
        "qwen3" => {
            set("attention_bias", decoder.qkv_bias.into());
            set("use_sliding_window", false.into());
        }
        "phi3" => {
            set("sliding_window", window.into());
        }
        _ => {
            let kind = |windowed: bool| if windowed { "sliding_attention" } else { "full_attention" };
            let kinds = decoder.layers.iter().map(|layer| kind(layer.window.is_some()));
            set("attention_bias", decoder.qkv_bias.into());
            set("layer_types", kinds.collect());
            set("sliding_window", window.into());
            set("query_pre_attn_scalar", whole(reciprocal(decoder.attention_scale * decoder.attention_scale)));
            set("attn_logit_softcapping", decoder.attention_cap.map(number).into());
            set("final_logit_softcapping", decoder.logit_cap.map(number).into());
        }
    }
    if architecture.gguf == "granite" {
        set("attention_multiplier", number(decoder.attention_scale));
        set("embedding_multiplier", number(decoder.embedding_scale));
        set("residual_multiplier", number(decoder.residual_scale));
        set("logits_scaling", number(reciprocal(decoder.logit_scale)));
    }
    if architecture.gguf == "smollm3" {
        set("no_rope_layers", decoder.layers.iter().map(|layer| u32::from(layer.rope.is_some())).collect());
        set("use_sliding_window", false.into());
    }
}

fn set_rope(decoder: &Decoder, architecture: &Architecture, set: &mut dyn FnMut(&str, Value) -> Option<Value>) {
    let rope = &decoder.ropes[0];
    let parameters = parameters(rope, decoder);
    set("rope_theta", number(rope.theta));
    if let RopeScaling::LongRope { original_context, .. } = &rope.scaling {
        set("original_max_position_embeddings", (*original_context).into());
    } else if architecture.gguf == "phi3" {
        set("original_max_position_embeddings", decoder.context.into());
    }
    if rope.dimensions != decoder.head {
        set("partial_rotary_factor", (f64::from(rope.dimensions) / f64::from(decoder.head)).into());
    }
    match decoder.ropes.get(1) {
        None => {
            if rope.scaling != RopeScaling::None {
                set("rope_scaling", parameters.clone());
            }
            set("rope_parameters", parameters)
        }
        Some(local) => {
            set("rope_local_base_freq", number(local.theta));
            let local = self::parameters(local, decoder);
            set("rope_parameters", json!({ "full_attention": parameters, "sliding_attention": local }))
        }
    };
}

/// `rope_parameters` of one rotary embedding.
fn parameters(rope: &Rope, decoder: &Decoder) -> Value {
    let mut out = Map::new();
    let mut set = |key: &str, value: Value| out.insert(key.into(), value);
    set("rope_theta", number(rope.theta));
    if rope.dimensions != decoder.head {
        set("partial_rotary_factor", (f64::from(rope.dimensions) / f64::from(decoder.head)).into());
    }
    match &rope.scaling {
        RopeScaling::None => {
            set("rope_type", "default".into());
        }
        RopeScaling::Dynamic { factor } => {
            set("rope_type", "dynamic".into());
            set("factor", number(*factor));
        }
        RopeScaling::Linear { factor } => {
            set("rope_type", "linear".into());
            set("factor", number(*factor));
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            set("rope_type", "llama3".into());
            set("factor", number(*factor));
            set("low_freq_factor", number(*low_freq_factor));
            set("high_freq_factor", number(*high_freq_factor));
            set("original_max_position_embeddings", (*original_context).into());
        }
        RopeScaling::Yarn { factor, attention_factor, beta_fast, beta_slow, original_context, truncate } => {
            set("rope_type", "yarn".into());
            set("factor", number(*factor));
            set("attention_factor", number(*attention_factor));
            set("beta_fast", number(*beta_fast));
            set("beta_slow", number(*beta_slow));
            set("original_max_position_embeddings", (*original_context).into());
            set("truncate", (*truncate).into());
        }
        RopeScaling::LongRope { short, long, attention_factor, original_context } => {
            set("rope_type", "longrope".into());
            set("short_factor", short.iter().copied().map(number).collect());
            set("long_factor", long.iter().copied().map(number).collect());
            set("attention_factor", number(*attention_factor));
            set("original_max_position_embeddings", (*original_context).into());
        }
    }
    out.into()
}

/// `generation_config.json`.
pub(crate) fn generation_config(vocabulary: &Vocabulary, defaults: &Defaults, notes: &mut Vec<String>) -> Value {
    let mut out = json!({ "eos_token_id": ends(vocabulary) });
    for (key, id) in [("bos_token_id", vocabulary.special.bos), ("pad_token_id", vocabulary.special.padding)] {
        if let Some(id) = id {
            out[key] = id.into();
        }
    }
    for (name, setting, source) in defaults.list() {
        let key = match name {
            "temperature" | "top_k" | "top_p" | "min_p" | "typical_p" | "repetition_penalty" => name,
            "stop" => "stop_strings",
            _ => {
                notes.push(left_out(name, source, "a Hugging Face folder"));
                continue;
            }
        };
        out[key] = match setting {
            Setting::Number(value) => number(value),
            Setting::Count(count) => count.into(),
            Setting::Text(text) => text.into(),
            Setting::Texts(texts) => texts.into(),
        };
    }
    if let Some(given) = &defaults.temperature {
        // transformers samples only if it is told to, and takes no temperature of 0.
        out["do_sample"] = (given.value > 0.0).into();
        if given.value <= 0.0 {
            out.as_object_mut().map(|out| out.remove("temperature"));
        }
    }
    out
}

/// The ids that end an answer: one, several, or null.
fn ends(vocabulary: &Vocabulary) -> Value {
    match vocabulary.ends().as_slice() {
        [] => Value::Null,
        [id] => (*id).into(),
        ids => ids.into(),
    }
}

/// A 32-bit float as JSON: the shortest decimal that means it, so 0.00001 and not 0.000009999999747378752.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// A number that is an integer in JSON if it is whole: transformers wants `query_pre_attn_scalar` to be one.
fn whole(value: f32) -> Value {
    if value.fract() == 0.0 { (value as u64).into() } else { number(value) }
}
