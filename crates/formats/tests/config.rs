//! `config.json` of each family. What is expected where a key is absent, and the factors of yarn and longrope, are what
//! transformers 5.23 gave for the same files.
#![expect(clippy::float_cmp, reason = "what a file says is kept, not computed with")]

mod common;
#[path = "common/hugging_face.rs"]
mod hugging_face;

use common::refused;
use hugging_face::{config, with, without};
use serde_json::{Value, json};
use trillm_formats::Error;
use trillm_formats::huggingface::{Activation, Config, Decoder, Encoder, Family, Function, RopeScaling};

const FAMILIES: [&str; 9] =
    ["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3_text", "phi3", "granite"];

fn parse(config: &Value) -> Result<(Config, Vec<String>), Error> {
    let mut notes = Vec::new();
    Config::parse(config.to_string().as_bytes(), &mut notes).map(|config| (config, notes))
}

#[track_caller]
fn decoder(config: &Value) -> Decoder {
    match parse(config).expect("accepted").0 {
        Config::Decoder(decoder) => *decoder,
        Config::Encoder(_) => panic!("a decoder"),
    }
}

#[track_caller]
fn encoder(config: &Value) -> Encoder {
    match parse(config).expect("accepted").0 {
        Config::Encoder(encoder) => encoder,
        Config::Decoder(_) => panic!("an encoder"),
    }
}

fn windows(decoder: &Decoder) -> Vec<Option<u32>> {
    decoder.layers.iter().map(|layer| layer.window).collect()
}

fn family(model_type: &str, keys: Value) -> Value {
    with(config(model_type), keys)
}

#[test]
fn families_differ_in_their_defaults() {
    // Heads of keys, size of a head, context, tied, base of the wavelengths; the width is 256 for 32 heads.
    let expected = [
        (32, 8, 2048, false, 1e4),
        (8, 8, 131_072, false, 1e4),
        (32, 8, 32_768, false, 1e4),
        (32, 128, 32_768, false, 1e4),
        (4, 8, 32_768, true, 2e6),
        (4, 256, 8192, true, 1e4),
        (4, 256, 131_072, true, 1e6),
        (32, 8, 4096, false, 1e4),
        (32, 8, 2048, false, 1e4),
    ];
    for (model_type, expected) in FAMILIES.into_iter().zip(expected) {
        let keys = json!({ "hidden_size": 256, "num_attention_heads": 32 });
        let least = without(without(family(model_type, keys), "num_key_value_heads"), "max_position_embeddings");
        let read = decoder(&least);
        let found = (read.kv_heads, read.head, read.context, read.tied, read.ropes[0].theta);
        assert_eq!(found, expected, "{model_type}");
        assert_eq!(read.norm_epsilon, if model_type == "phi3" { 1e-5 } else { 1e-6 }, "{model_type}");
        assert_eq!((read.model_type.as_str(), read.layers.len()), (model_type, 6));
        assert_eq!(read.ropes[0].dimensions, read.head);
        // No head is shared where the key is null.
        assert_eq!(decoder(&with(least, json!({ "num_key_value_heads": null }))).kv_heads, 32, "{model_type}");
    }
}

#[test]
fn families_differ_in_what_they_compute() {
    for model_type in FAMILIES {
        let read = decoder(&config(model_type));
        let gemma = model_type.starts_with("gemma");
        assert_eq!((read.norm_adds_one, read.post_norms), (gemma, gemma), "{model_type}");
        assert_eq!(read.qk_norm, ["qwen3", "gemma3_text"].contains(&model_type), "{model_type}");
        assert_eq!((read.qkv_bias, read.output_bias, read.mlp_bias), (model_type == "qwen2", false, false));
        assert_eq!(read.fused, model_type == "phi3");
        assert_eq!(read.activation, if gemma { Activation::GeluTanh } else { Activation::Silu }, "{model_type}");
        assert_eq!(read.embedding_scale, if gemma { 8.0 } else { 1.0 }, "{model_type}");
        let caps = (model_type == "gemma2").then_some((50.0, 30.0));
        assert_eq!(read.attention_cap.zip(read.logit_cap), caps, "{model_type}");
        let scale = match model_type {
            "granite" => 1.0,
            _ if gemma => 1.0 / 16.0,
            _ => (read.head as f32).powf(-0.5),
        };
        assert_eq!(read.attention_scale, scale, "{model_type}");
    }
    let biased = json!({ "attention_bias": true, "mlp_bias": true });
    for (model_type, qkv, output, mlp) in [
        ("llama", true, true, true),
        ("mistral", false, false, false),
        ("qwen2", true, false, false),
        ("qwen3", true, true, false),
        ("smollm3", true, true, true),
        ("gemma2", true, true, false),
        ("phi3", false, false, false),
        ("granite", true, true, true),
    ] {
        let read = decoder(&family(model_type, biased.clone()));
        assert_eq!((read.qkv_bias, read.output_bias, read.mlp_bias), (qkv, output, mlp), "{model_type}");
    }
}

#[test]
fn multipliers_of_granite_and_caps_of_gemma() {
    let read = decoder(&family(
        "granite",
        json!({
            "attention_multiplier": 0.015_625,
            "embedding_multiplier": 12.0,
            "logits_scaling": 8.0,
            "residual_multiplier": 0.22,
        }),
    ));
    let found = (read.attention_scale, read.embedding_scale, read.logit_scale, read.residual_scale);
    assert_eq!(found, (0.015_625, 12.0, 0.125, 0.22));
    let keys = json!({ "query_pre_attn_scalar": 144, "attn_logit_softcapping": null, "final_logit_softcapping": 20 });
    let read = decoder(&family("gemma2", keys));
    assert_eq!((read.attention_scale, read.attention_cap, read.logit_cap), (1.0 / 12.0, None, Some(20.0)));
    // `Gemma3Attention` of transformers 5.24 passes its cap on to nobody.
    let keys = json!({ "attn_logit_softcapping": 5.0, "final_logit_softcapping": 20.0 });
    let read = decoder(&family("gemma3_text", keys));
    assert_eq!((read.attention_cap, read.logit_cap), (None, Some(20.0)));
}

#[test]
fn windows_follow_each_family() {
    let read = |model_type, keys| windows(&decoder(&family(model_type, keys)));
    let (all, none) = ([Some(4096); 6], [None; 6]);
    assert_eq!(read("mistral", json!({})), all);
    assert_eq!(read("mistral", json!({ "sliding_window": null })), none);
    assert_eq!(read("phi3", json!({})), none);
    assert_eq!(read("phi3", json!({ "sliding_window": 2047 })), [Some(2047); 6]);
    assert_eq!(read("llama", json!({ "sliding_window": 2047 })), none);
    let keys = json!({ "use_sliding_window": true, "sliding_window": 128, "max_window_layers": 4 });
    assert_eq!(read("qwen2", keys), [None, None, None, None, Some(128), Some(128)]);
    assert_eq!(read("qwen2", json!({ "sliding_window": 128, "max_window_layers": 4 })), none);
    let types = json!(["sliding_attention", "full_attention"].repeat(3));
    let keys = json!({ "use_sliding_window": true, "sliding_window": 128, "layer_types": types });
    assert_eq!(read("qwen3", keys), [Some(128), None, Some(128), None, Some(128), None]);
    assert_eq!(read("gemma2", json!({ "sliding_window": 32 })), [Some(32), None].repeat(3));
    let pattern = [Some(4096), Some(4096), Some(4096), Some(4096), Some(4096), None];
    assert_eq!(read("gemma3_text", json!({})), pattern);
    assert_eq!(read("gemma3_text", json!({ "sliding_window_pattern": 2 })), [Some(4096), None].repeat(3));

    let refuse = |model_type, keys, code, words| refused(|| parse(&family(model_type, keys)), code, words);
    refuse("qwen2", json!({ "layer_types": types }), "missing_key", "sliding_window");
    refuse("gemma2", json!({ "sliding_window": null }), "missing_key", "sliding_window");
    refuse("mistral", json!({ "sliding_window": 0 }), "invalid_key", "sliding_window");
    refuse("gemma2", json!({ "layer_types": ["full_attention"] }), "invalid_key", "a list of 1, expected 6");
    let odd = json!({ "layer_types": (["chunked_attention"].repeat(6)) });
    refuse("qwen3", odd, "invalid_key", "\"chunked_attention\", expected full_attention");
    refuse("gemma2", json!({ "use_bidirectional_attention": true }), "invalid_key", "use_bidirectional");
}

/// As the masks of transformers 5.24 have it.
#[test]
fn windows_that_look_both_ways() {
    let read = |model_type, keys| {
        let decoder = decoder(&family(model_type, keys));
        (decoder.causal, windows(&decoder)[0])
    };
    let both = |window: u32| json!({ "use_bidirectional_attention": true, "sliding_window": window });
    assert_eq!(read("gemma3_text", both(512)), (false, Some(257)));
    assert_eq!(read("gemma3_text", both(9)), (false, Some(5)));
    assert_eq!(read("gemma3_text", json!({ "use_bidirectional_attention": false })), (true, Some(4096)));
    assert_eq!(read("mistral", json!({ "is_causal": true, "sliding_window": 9 })), (true, Some(9)));
    let causal = json!({ "is_causal": false, "sliding_window": 9 });
    refused(|| parse(&family("mistral", causal)), "invalid_key", "true where layers see a window");
    assert_eq!(read("llama", json!({ "use_bidirectional_attention": true })), (true, None));
}

#[test]
fn layers_without_positions() {
    let ropes = |keys| decoder(&family("smollm3", keys)).layers.iter().map(|l| l.rope.is_some()).collect::<Vec<_>>();
    assert_eq!(ropes(json!({})), [true, true, true, false, true, true]);
    assert_eq!(ropes(json!({ "no_rope_layer_interval": 2 })), [true, false, true, false, true, false]);
    // The list may be longer than the model.
    assert_eq!(ropes(json!({ "no_rope_layers": [0, 1, 1, 1, 1, 0, 1] })), [false, true, true, true, true, false]);
    let keys = json!({ "no_rope_layers": [1, 0, 1, 0, 1, 0], "use_sliding_window": true, "sliding_window": 64 });
    assert_eq!(windows(&decoder(&family("smollm3", keys))), [None, Some(64)].repeat(3));
    refused(|| parse(&family("smollm3", json!({ "no_rope_layers": [1] }))), "invalid_key", "a list of 1, expected 6");
    refused(
        || parse(&family("smollm3", json!({ "no_rope_layers": ([2].repeat(6)) }))),
        "invalid_key",
        "zeros and ones",
    );
}

#[test]
fn rope_in_both_forms() {
    let llama3 = json!({
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 1024,
    });
    let older = decoder(&family("llama", json!({ "rope_theta": 5e5, "rope_scaling": llama3 })));
    let newer = decoder(&family("llama", json!({ "rope_parameters": with(llama3, json!({ "rope_theta": 5e5 })) })));
    assert_eq!(older.ropes, newer.ropes);
    let scaling =
        RopeScaling::Llama3 { factor: 32.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 1024 };
    assert_eq!((older.ropes[0].theta, &older.ropes[0].scaling), (5e5, &scaling));
    let linear = decoder(&family("llama", json!({ "rope_scaling": { "type": "linear", "factor": 2.0 } })));
    assert_eq!(linear.ropes[0].scaling, RopeScaling::Linear { factor: 2.0 });
    let dynamic = json!({ "rope_parameters": { "rope_type": "dynamic", "factor": 2.0 } });
    assert_eq!(decoder(&family("llama", dynamic)).ropes[0].scaling, RopeScaling::Dynamic { factor: 2.0 });
    let without = json!({ "rope_scaling": { "type": "dynamic" } });
    refused(|| parse(&family("llama", without)), "missing_key", "factor");
    let nothing = decoder(&family("llama", json!({ "rope_scaling": {}, "rope_parameters": { "rope_theta": 7 } })));
    assert_eq!((nothing.ropes[0].theta, &nothing.ropes[0].scaling), (7.0, &RopeScaling::None));
}

/// Families that rotate whole heads do not look at the key, but for types whose tables are made by it.
#[test]
fn a_part_of_a_head_is_rotated_where_transformers_does() {
    let part = json!({ "partial_rotary_factor": 0.5 });
    for model_type in ["llama", "mistral", "qwen2", "qwen3", "granite", "smollm3", "gemma2"] {
        let plain = decoder(&family(model_type, json!({})));
        assert_eq!(decoder(&family(model_type, part.clone())).ropes, plain.ropes, "{model_type}");
        let inner = json!({ "rope_parameters": { "rope_type": "default", "partial_rotary_factor": 0.5 } });
        assert_eq!(decoder(&family(model_type, inner)).ropes, plain.ropes, "{model_type}");
    }
    let phi3 = decoder(&family("phi3", part.clone()));
    assert_eq!(2 * phi3.ropes[0].dimensions, phi3.head);
    for kind in ["linear", "dynamic", "yarn"] {
        let keys = with(part.clone(), json!({ "rope_scaling": { "rope_type": kind, "factor": 2.0 } }));
        refused(|| parse(&family("llama", keys)), "invalid_key", "partial_rotary_factor");
    }
}

#[test]
fn gemma_3_has_two_ropes() {
    let linear = json!({ "rope_type": "linear", "factor": 8.0 });
    let keys = json!({ "rope_theta": 1e6, "rope_local_base_freq": 5e3, "rope_scaling": linear });
    let older = decoder(&family("gemma3_text", keys));
    let full = with(linear.clone(), json!({ "rope_theta": 1e6 }));
    let sliding = json!({ "rope_type": "default", "rope_theta": 5e3 });
    let keys = json!({ "rope_parameters": { "full_attention": full, "sliding_attention": sliding } });
    assert_eq!(older, decoder(&family("gemma3_text", keys)));
    let [global, local] = &older.ropes[..] else { panic!("two") };
    assert_eq!((global.theta, &global.scaling), (1e6, &RopeScaling::Linear { factor: 8.0 }));
    assert_eq!((local.theta, &local.scaling), (5e3, &RopeScaling::None));
    assert_eq!(older.layers.iter().map(|layer| layer.rope).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 0].map(Some));
    let flat = json!({ "rope_parameters": { "rope_theta": 1e6 } });
    refused(|| parse(&family("gemma3_text", flat)), "invalid_key", "rope_parameters.rope_theta");
    let nested = json!({ "rope_parameters": { "full_attention": linear } });
    refused(|| parse(&family("qwen3", nested)), "invalid_key", "one set of parameters");
}

#[test]
fn yarn_and_longrope_resolve_their_factors() {
    let yarn = |keys| {
        let scaling =
            with(json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512 }), keys);
        decoder(&family("qwen2", json!({ "rope_scaling": scaling }))).ropes[0].scaling.clone()
    };
    let expected = RopeScaling::Yarn {
        factor: 4.0,
        attention_factor: 1.138_629_4,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 512,
        truncate: true,
    };
    assert_eq!(yarn(json!({})), expected);
    assert_eq!(yarn(json!({ "beta_fast": null, "beta_slow": 0 })), expected);
    let keys = json!({ "factor": 40.0, "mscale": 0.707, "mscale_all_dim": 1.0, "truncate": false });
    let RopeScaling::Yarn { attention_factor, truncate, .. } = yarn(keys) else { panic!("yarn") };
    assert_eq!((attention_factor, truncate), (0.921_042_4, false));
    let RopeScaling::Yarn { attention_factor, .. } = yarn(json!({ "attention_factor": 0.9 })) else { panic!("yarn") };
    assert_eq!(attention_factor, 0.9);

    let long = |keys| {
        let scaling =
            json!({ "type": "longrope", "short_factor": ([1.0].repeat(8)), "long_factor": ([2.0].repeat(8)) });
        let base = json!({ "hidden_size": 128, "original_max_position_embeddings": 512, "rope_scaling": scaling });
        family("phi3", with(base, keys))
    };
    let RopeScaling::LongRope { short, long: divisors, attention_factor, original_context } =
        decoder(&long(json!({}))).ropes[0].scaling.clone()
    else {
        panic!("longrope")
    };
    assert_eq!((short, divisors, original_context), (vec![1.0; 8], vec![2.0; 8], 512));
    assert_eq!(attention_factor, 1.105_541_6);
    let part = json!({ "type": "su", "short_factor": ([1.0].repeat(6)), "long_factor": ([2.0].repeat(6)) });
    let part = decoder(&long(json!({ "partial_rotary_factor": 0.75, "rope_scaling": part })));
    assert_eq!((part.head, part.ropes[0].dimensions), (16, 12));
    refused(
        || parse(&long(json!({ "partial_rotary_factor": 0.75 }))),
        "invalid_key",
        "a list of 8, expected a list of 6",
    );
}

#[test]
fn rope_that_is_not_known_is_refused() {
    let refuse = |model_type, scaling: Value, code, words| {
        refused(|| parse(&family(model_type, json!({ "rope_scaling": scaling }))), code, words);
    };
    refuse("llama", json!({ "rope_type": "ntk", "factor": 2.0 }), "invalid_key", "\"ntk\", expected default");
    refuse("llama", json!({ "type": "mrope" }), "invalid_key", "\"mrope\"");
    refuse("llama", json!({ "type": "linear" }), "missing_key", "rope_scaling.factor");
    refuse("llama", json!({ "type": "linear", "factor": 0 }), "invalid_key", "over 0");
    refuse("llama", json!({ "type": "linear", "factor": 1e300 }), "invalid_key", "a finite number");
    refuse("llama", json!({ "type": "linear", "factor": "2" }), "invalid_key", "\"2\"");
    refuse("llama", json!({ "type": "linear", "factor": 2, "mrope_section": [1] }), "invalid_key", "mrope_section");
    refuse("phi3", json!({ "type": "linear", "factor": 2 }), "invalid_key", "default or longrope");
    refuse("phi3", json!({ "type": "longrope", "long_factor": [1.0] }), "missing_key", "short_factor");
    refuse("llama", json!([1]), "invalid_key", "a list of 1, expected an object");
    let equal = json!({ "type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4 });
    refuse("llama", equal, "invalid_key", "more than the low_freq_factor 4");
    refused(|| parse(&family("llama", json!({ "rope_theta": -1 }))), "invalid_key", "rope_theta");
}

#[test]
fn gemma_3_with_images_is_read_for_its_text() {
    let text = json!({ "model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 7, "mystery": 1 });
    let whole = json!({ "model_type": "gemma3", "text_config": text, "vision_config": {}, "mm_tokens_per_image": 256 });
    let (read, notes) = parse(&whole).expect("accepted");
    let Config::Decoder(read) = read else { panic!("a decoder") };
    assert_eq!((read.family, read.model_type.as_str(), read.layers.len()), (Family::Gemma3, "gemma3", 7));
    assert_eq!((read.heads, read.kv_heads, read.head, read.vocabulary), (8, 4, 256, 262_208));
    assert_eq!(notes, ["only the text part of the model is used", "keys of config.json that are not used: mystery"]);
    refused(|| parse(&family("llama", json!({ "text_config": {} }))), "invalid_key", "text_config");
    // At the top such keys must be there.
    let bare = json!({ "model_type": "gemma3_text", "hidden_size": 64 });
    refused(|| parse(&bare), "missing_key", "num_attention_heads");
}

#[test]
fn keys_that_are_not_used_are_told_once() {
    let keys = json!({ "auto_map": { "AutoModel": "x.py" }, "mystery": 1, "rope_ratio": 2, "torch_dtype": "bfloat16" });
    let (_, notes) = parse(&family("llama", keys)).expect("accepted");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("remote code is never run"), "{notes:?}");
    assert_eq!(notes[1], "keys of config.json that are not used: mystery, rope_ratio");
    // What is off, or null, says nothing.
    let off = json!({ "rope_interleaved": false, "mystery": null });
    assert!(parse(&family("llama", off)).expect("accepted").1.is_empty());
    let many = (0..100).map(|number| (format!("key{number}"), json!(1))).collect::<serde_json::Map<_, _>>();
    let (_, notes) = parse(&family("llama", Value::Object(many))).expect("accepted");
    assert!(notes[0].ends_with("key11, and 88 more"), "{notes:?}");
}

#[test]
fn what_cannot_be_run_is_named() {
    let refuse = |config: Value, code, words| refused(|| parse(&config), code, words);
    let mixtral = config("mixtral");
    refuse(
        mixtral,
        "unsupported_architecture",
        "the model type \"mixtral\" is not supported, expected llama, mistral,",
    );
    refuse(json!({}), "missing_key", "the key model_type is missing, expected llama");
    refuse(json!({ "model_type": 7 }), "invalid_key", "expected a string");
    refuse(family("llama", json!({ "num_local_experts": 8 })), "unsupported", "a mixture of experts");
    let awq = json!({ "quantization_config": { "quant_method": "awq" } });
    refuse(family("llama", awq), "unsupported", "quantization_config (awq weights) is not supported");
    refuse(family("llama", json!({ "hidden_act": "relu" })), "invalid_key", "\"relu\", expected silu");
    refuse(family("gemma2", json!({ "hidden_activation": "tanh" })), "invalid_key", "hidden_activation");
}

#[test]
fn sizes_that_no_model_has_are_refused() {
    for (key, value) in [
        ("num_attention_heads", json!(0)),
        ("num_key_value_heads", json!(3)),
        ("num_key_value_heads", json!(0)),
        ("num_hidden_layers", json!(0)),
        ("num_hidden_layers", json!(1025)),
        ("hidden_size", json!((1 << 20) + 1)),
        ("hidden_size", json!(-64)),
        ("hidden_size", json!(64.5)),
        ("hidden_size", json!("64")),
        ("intermediate_size", json!(0)),
        ("vocab_size", json!(1u64 << 40)),
        ("max_position_embeddings", json!(0)),
        ("head_dim", json!(7)),
        ("head_dim", json!(1 << 18)),
        ("rms_norm_eps", json!(0)),
        ("rms_norm_eps", json!(1e-60)),
        ("tie_word_embeddings", json!("yes")),
    ] {
        refused(|| parse(&family("llama", json!({ key: value }))), "invalid_key", key);
    }
    let seven = json!({ "num_attention_heads": 7, "num_key_value_heads": 7 });
    refused(|| parse(&family("llama", seven)), "invalid_key", "7 for a width of 64, expected a divisor");
    for key in ["hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"] {
        refused(|| parse(&without(config("llama"), key)), "missing_key", key);
    }
}

#[test]
fn bert_is_an_encoder() {
    let read = encoder(&config("bert"));
    assert_eq!((read.width, read.heads, read.layers, read.feed_forward), (64, 8, 6, 128));
    assert_eq!((read.norm_epsilon, read.activation, read.context), (1e-12, Function::Common(Activation::Gelu), 2048));
    for (name, function) in [
        ("relu", Function::Relu),
        ("gelu_fast", Function::Common(Activation::GeluTanh)),
        ("quick_gelu", Function::QuickGelu),
        ("gelu_10", Function::Gelu10),
        ("tanh", Function::Tanh),
        ("mish", Function::Mish),
    ] {
        assert_eq!(encoder(&family("bert", json!({ "hidden_act": name }))).activation, function);
    }
    let refuse = |keys, words| refused(|| parse(&family("bert", keys)), "invalid_key", words);
    refuse(json!({ "hidden_act": "xielu" }), "xielu");
    refuse(json!({ "position_embedding_type": "relative_key" }), "relative_key");
    refuse(json!({ "is_decoder": true }), "is_decoder");
    refuse(json!({ "num_attention_heads": 7 }), "a divisor of the width 64");
}

#[test]
fn every_truncation_is_refused() {
    let whole = config("gemma3_text").to_string();
    for length in 0..whole.len() {
        let error = Config::parse(&whole.as_bytes()[..length], &mut Vec::new()).expect_err("refused");
        assert!(matches!(error, Error::Json { .. }), "{error}");
    }
}
