//! Attacks on the numbers that size a model, and on the tensors that must fit them.

mod common;

use common::{Value, Writer, model, tiny, words_only};
use trillm_core::{ModelInfo, Purpose};
use trillm_testkit::models::gguf::TensorType::{F16, F32};

fn with(key: &str, value: impl Into<Value>) -> Writer {
    tiny().key(key, value)
}

fn number(key: &str, value: u32) -> Writer {
    with(&format!("llama.{key}"), value)
}

fn float(key: &str, value: f32) -> Writer {
    with(&format!("llama.{key}"), value)
}

fn without(key: &str) -> Writer {
    tiny().without(key)
}

/// The model with the keys of another architecture.
fn of(architecture: &str) -> Writer {
    tiny().architecture("llama", architecture)
}

fn experts(count: u32, used: u32) -> Writer {
    number("expert_count", count).key("llama.expert_used_count", used)
}

fn heads(heads: u32, kv_heads: u32) -> Writer {
    number("attention.head_count", heads).key("llama.attention.head_count_kv", kv_heads)
}

refused! { model;
    vocabulary_only: words_only() => "vocabulary_only", "no tensors";
    architecture_missing: without("general.architecture") => "missing_key", "general.architecture";
    architecture_of_other_type: with("general.architecture", 1u32) => "invalid_key", "expected a string";
    architecture_unknown: of("gpt5") => "unsupported_architecture", "\"gpt5\" is not known";
    architecture_with_zero: with("general.architecture", "llama\0")
        => "unsupported_architecture", "\"llama\\0\" is not known";
    architecture_of_images: of("clip") => "unsupported_architecture", "image part";
    architecture_of_drafts: of("eagle3") => "unsupported_architecture", "drafts for another model";

    no_layers: number("block_count", 0) => "invalid_key", "expected 1 to 512";
    layers_over_limit: number("block_count", 513) => "invalid_key", "llama.block_count holds 513, expected 1 to 512";
    layers_missing: without("llama.block_count") => "missing_key", "llama.block_count";
    layers_of_other_type: with("llama.block_count", 1u64) => "invalid_key", "1 (u64), expected a number (u32)";
    no_width: number("embedding_length", 0) => "invalid_key", "llama.embedding_length";
    width_missing: without("llama.embedding_length") => "missing_key", "llama.embedding_length";
    width_huge: number("embedding_length", u32::MAX) => "invalid_key", "llama.embedding_length";
    no_context: number("context_length", 0) => "invalid_key", "llama.context_length";
    context_missing: without("llama.context_length") => "missing_key", "llama.context_length";
    context_negative: number("context_length", u32::MAX) => "invalid_key", "llama.context_length";
    more_prediction_layers_than_layers: number("nextn_predict_layers", 1) => "invalid_key", "nextn_predict_layers";
    more_dense_layers_than_layers: number("leading_dense_block_count", 2) => "invalid_key", "leading_dense";
    feed_forward_of_other_length: with("llama.feed_forward_length", Value::array([16u32, 16]))
        => "invalid_key", "an array of 2, expected one number for each of 1 layers";
    feed_forward_of_strings: with("llama.feed_forward_length", "16") => "invalid_key", "feed_forward_length";

    no_heads: number("attention.head_count", 0) => "invalid_key", "llama.attention.head_count holds 0";
    heads_missing: without("llama.attention.head_count") => "missing_key", "llama.attention.head_count";
    more_heads_than_width: heads(16, 1) => "invalid_key", "at most 8, the width of the model";
    heads_over_limit: heads(1 << 30, 1) => "invalid_key", "at most 4096";
    kv_heads_no_divisor: heads(2, 3) => "invalid_key", "a divisor of 2, the heads of layer 0";
    kv_heads_zero: heads(2, 0) => "invalid_key", "0 for layer 0";
    heads_differ_by_layer: heads(2, 1).key("llama.block_count", 2u32)
        .key("llama.attention.head_count", Value::array([2u32, 4]))
        => "invalid_key", "2 and 4, expected one number for all layers";
    heads_of_other_length: with("llama.attention.head_count", Value::array([2u32, 2]))
        => "invalid_key", "an array of 2";
    key_length_zero: number("attention.key_length", 0) => "invalid_key", "key_length";
    key_and_value_differ: number("attention.value_length", 8) => "invalid_key", "4, the size of a key";
    rope_over_head: number("rope.dimension_count", 6) => "invalid_key", "4, the size of a head";
    rope_odd: of("gptneox").key("gptneox.rope.dimension_count", 3u32) => "invalid_key", "an even number up to 4";
    rope_scaling_unknown: with("llama.rope.scaling.type", "ntk") => "invalid_key", "\"ntk\"";
    rope_base_zero: float("rope.freq_base", 0.0) => "invalid_key", "above zero";
    rope_base_nan: float("rope.freq_base", f32::NAN) => "invalid_key", "a finite number";
    rope_factor_negative: float("rope.scaling.factor", -1.0) => "invalid_key", "zero or above";
    rope_sections_missing: of("paddleocr") => "invalid_key", "the first three not all zero";
    rope_sections_negative: with("llama.rope.dimension_sections", Value::array([-1i32; 4]))
        => "invalid_key", "none below zero";
    rope_sections_of_zero: of("qwen2vl").key("qwen2vl.rope.dimension_sections", Value::array([0i32, 0, 0, 4]))
        => "invalid_key", "the first three not all zero";
    epsilon_negative: float("attention.layer_norm_rms_epsilon", -1e-5) => "invalid_key", "zero or above";
    epsilon_infinite: float("attention.layer_norm_rms_epsilon", f32::INFINITY) => "invalid_key", "a finite number";
    any_float_nan: float("logit_scale", f32::NAN) => "invalid_key", "llama.logit_scale";

    experts_over_limit: experts(1025, 2) => "invalid_key", "0 to 1024";
    experts_none_used: experts(8, 0) => "invalid_key", "a number from 1 to 8";
    experts_more_used_than_there_are: experts(8, 9) => "invalid_key", "at most 8";
    experts_used_without_any: experts(0, 1) => "invalid_key", "at most 0";
    expert_groups_no_divisor: experts(8, 2).key("llama.expert_group_count", 3u32)
        => "invalid_key", "a divisor of 8";
    expert_groups_none_used: experts(8, 2).key("llama.expert_group_count", 4u32) => "missing_key", "group_used";
    expert_groups_all_used: experts(8, 2).key("llama.expert_group_count", 4u32)
        .key("llama.expert_group_used_count", 4u32) => "invalid_key", "1 to 3";
    expert_gating_unknown: number("expert_gating_func", 9) => "invalid_key", "1 to 4";
    pooling_unknown: number("pooling_type", 5) => "invalid_key", "0 to 4";
    divisor_zero: number("full_attention_interval", 0) => "invalid_key", "full_attention_interval";
    recurrent_head_size_zero: of("rwkv7").key("rwkv7.wkv.head_size", 0u32) => "invalid_key", "wkv.head_size";
    recurrent_head_size_no_divisor: of("rwkv7").key("rwkv7.wkv.head_size", 3u32)
        => "invalid_key", "a divisor of 8";
    state_space_groups_missing: of("mamba2").key("mamba2.ssm.inner_size", 16u32)
        .key("mamba2.ssm.time_step_rank", 4u32) => "invalid_key", "mamba2.ssm.group_count";
    state_space_heads_no_divisor: of("mamba2").key("mamba2.ssm.inner_size", 16u32)
        .key("mamba2.ssm.time_step_rank", 5u32) => "invalid_key", "a divisor of 16";
    baichuan_of_unknown_size: of("baichuan") => "invalid_key", "32 or 40";

    embedding_missing: tiny().with(|w| drop(w.tensors.remove(0))) => "missing_tensor", "[8, 259]";
    embedding_of_fewer_tokens: tiny().change("token_embd.weight", |t| { t.dimensions[1] = 258; t.bytes -= 32; })
        => "invalid_tensor", "the shape [8, 258], expected the shape [8, 259]";
    embedding_of_other_width: number("embedding_length", 16).key("llama.rope.dimension_count", 8u32)
        => "invalid_tensor", "expected the shape [16, 259]";
    norm_not_f32: tiny().change("output_norm.weight", |t| { t.kind = 1; t.bytes = 16; })
        => "invalid_tensor", "the type F16, expected F32";
    bias_not_f32: tiny().tensor("blk.0.attn_q.bias", &[8, 2], F16)
        => "invalid_tensor", "the type F16, expected F32";
    matrix_of_integers: tiny().change("blk.0.attn_q.weight", |t| t.kind = 26)
        => "invalid_tensor", "the type I32";
    matrix_of_doubles: tiny().change("blk.0.attn_q.weight", |t| { t.kind = 28; t.bytes *= 2; })
        => "invalid_tensor", "the type F64";
    alignment_too_small_to_map: tiny().key("general.alignment", 8u32).with(|w| w.alignment = 8)
        .tensor("x", &[2], F32).tensor("y", &[2], F32) => "invalid_tensor", "a multiple of 32";
    name_of_other_type: with("general.name", 1u32) => "invalid_key", "general.name";
    template_of_other_type: with("tokenizer.chat_template", 1u32) => "invalid_key", "tokenizer.chat_template";
    template_too_long: with("tokenizer.chat_template", "x".repeat((1 << 20) + 1).as_str())
        => "invalid_key", "at most 1048576";
}

#[test]
fn what_the_file_says_is_in_the_info() {
    let writer =
        with("general.license", "mit").key("tokenizer.chat_template", "{{ messages }}").key("llama.pooling_type", 3u32);
    let info = model(&writer.bytes()).expect("accepted");
    assert_eq!(info.license.as_deref(), Some("mit"));
    assert_eq!(info.chat_templates.default.as_deref(), Some("{{ messages }}"));
    assert_eq!(info.pooling().as_deref(), Some("last"));
    assert_eq!((info.engine, info.device.as_str(), info.weights), ("", "", ""));
}

#[test]
fn what_a_model_is_for_is_in_the_info() {
    let of = |writer: Writer| model(&writer.bytes()).expect("accepted");
    let decoder = of(tiny());
    assert_eq!((decoder.purpose, decoder.capabilities()), (Purpose::Text, vec!["generate", "embed"]));
    let chats = of(with("tokenizer.chat_template", "{{ messages }}"));
    assert_eq!(chats.capabilities(), ["generate", "chat", "embed"]);
    let encoder = of(self::of("bert"));
    assert_eq!((encoder.purpose, encoder.capabilities()), (Purpose::Vectors, vec!["embed"]));
    // What a folder of the same model has without a list of modules, by sentence-transformers.
    let pooling = |info: &ModelInfo| info.pipeline.as_ref().map(|pipeline| pipeline.describe().remove(1));
    assert_eq!(pooling(&decoder).as_deref(), Some("Pooling(pooling_mode=last), by default"));
    assert_eq!(pooling(&encoder).as_deref(), Some("Pooling(pooling_mode=mean), by default"));
    // It ranks.
    let ranker = of(number("pooling_type", 4));
    assert_eq!((ranker.purpose, ranker.capabilities()), (Purpose::Labels, vec![]));
}

#[test]
fn what_the_file_says_of_chats_is_in_the_info() {
    let writer = with("tokenizer.chat_template", "{{ messages }}")
        .key("tokenizer.chat_template.tool_use", "{{ tools }}")
        .key("tokenizer.ggml.padding_token_id", 0u32)
        .key("general.sampling.temp", 0.6f32)
        .key("general.sampling.top_k", 20i32)
        .key("general.sampling.top_p", 1.5f32)
        .key("general.sampling.sequence", "top_k;temp")
        .key("general.sampling.mirostat", 2i32)
        .key("general.sampling.penalty_last_n", 5.0f32)
        .key("general.sampling.xtc_probability", 0.0f32);
    let info = model(&writer.bytes()).expect("accepted");
    let templates: Vec<_> = info.chat_templates.iter().collect();
    assert_eq!(templates, [("default", "{{ messages }}"), ("tool_use", "{{ tools }}")]);
    assert!(info.special_tokens.contains_key("pad_token"));
    let names: Vec<&str> = info.defaults.list().iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ["temperature", "top_k"]);
    assert_eq!(info.defaults.request().sampling.top_k, 20);
    assert!(info.notes.iter().any(|note| note.contains("general.sampling: top_p is 1.5")), "{:?}", info.notes);
    let whole = "general.sampling.penalty_last_n is 5 (f32), expected a whole number; it is not used".to_owned();
    assert!(info.notes.contains(&whole), "{:?}", info.notes);
    let unused = "general.sampling: no use is made here of sequence, mirostat".to_owned();
    assert!(info.notes.contains(&unused), "{:?}", info.notes);
}

#[test]
fn where_the_short_factors_of_longrope_end_is_in_the_info() {
    let found = |writer: Writer| model(&writer.bytes()).expect("accepted").short_context;
    let original = || number("rope.scaling.original_context_length", 64);
    assert_eq!(found(original()), None);
    let factors = |writer: Writer| writer.tensor("rope_factors_long.weight", &[2], F32);
    assert_eq!(found(factors(original())), Some(64));
    // As llama.cpp: the whole context where the file does not say it.
    let plain = model(&tiny().bytes()).expect("accepted");
    assert_eq!(found(factors(tiny())), Some(plain.context_trained));
}

#[test]
fn the_quantization_is_named_after_most_bytes() {
    let half = |w: Writer| w.change("token_embd.weight", |t| (t.kind, t.bytes) = (1, t.bytes / 2));
    assert_eq!(model(&half(tiny()).bytes()).expect("accepted").quantization, "F16");
    let lies = half(tiny().key("general.file_type", 15u32));
    assert_eq!(model(&lies.bytes()).expect("accepted").quantization, "F16");
}

#[test]
fn experts_and_layers_in_arrays_pass() {
    let writer = experts(8, 2).key("llama.expert_group_count", 4u32).key("llama.expert_group_used_count", 2u32);
    model(&writer.bytes()).expect("accepted");
    let writer = with("llama.attention.head_count_kv", Value::array([1i32]))
        .key("llama.feed_forward_length", Value::array([16u32]));
    model(&writer.bytes()).expect("accepted");
}

/// Every number of the header set to every value at the edge of a range: whatever the outcome, no panic.
#[test]
fn edge_values_do_no_harm() {
    let edges: Vec<u32> =
        (0..32).flat_map(|bit| [1u32 << bit, (1 << bit) - 1, (1 << bit) + 1]).chain([u32::MAX]).collect();
    let numbers: Vec<String> = tiny()
        .keys
        .iter()
        .filter(|(_, value)| value.0 == 4)
        .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
        .collect();
    for key in &numbers {
        for &edge in &edges {
            drop(model(&with(key, edge).bytes()));
            drop(model(&with(key, Value::array([edge])).bytes()));
        }
    }
}
