//! What each layer keeps, by the header of a GGUF file: as llama.cpp allocates it.

mod common;

use common::{Value, model, tiny};
use trillm_core::{CacheType, Layer};
use trillm_formats::Error;
use trillm_testkit::models::gguf::TensorType::F32;

/// A model of another architecture with so many layers, and more keys of it: two heads of four numbers, one of them for
/// keys and values. It has the tensors that it is refused without.
fn layers(architecture: &str, count: u32, keys: &[(&str, Value)]) -> Option<Vec<Layer>> {
    let name = |key: &str| format!("{architecture}.{key}");
    let mut writer = tiny().architecture("llama", architecture);
    writer = writer.key(&name("block_count"), count);
    for (key, value) in keys {
        writer = writer.key(&name(key), value.clone());
    }
    let info = loop {
        match model(&writer.bytes()) {
            Err(Error::MissingTensor { name, .. }) => writer = writer.tensor(&name, &[1], F32),
            found => break found.expect("accepted"),
        }
    };
    assert_eq!((info.shape.width, info.shape.vocabulary), (8, 259));
    assert_eq!(info.shape.weights.keys().collect::<Vec<_>>(), ["F32"]);
    assert_eq!(info.shape.dominant(), info.quantization);
    info.shape.layers
}

const PLAIN: Layer = Layer { kv_heads: 1, key: 4, value: 4, index: 0, window: None, state: 0 };

#[test]
fn heads_that_share_keys_are_kept_once() {
    assert_eq!(layers("llama", 3, &[]), Some(vec![PLAIN; 3]));
    let wide = [("attention.key_length", Value::from(16u32)), ("attention.value_length", Value::from(16u32))];
    let rope = ("rope.dimension_count", Value::from(16u32));
    let found = layers("qwen3", 1, &[&wide[..], &[rope]].concat());
    assert_eq!(found, Some(vec![Layer { key: 16, value: 16, ..PLAIN }]));
    let cells = model(&tiny().bytes()).expect("accepted").shape.cache_bytes(32, 8, CacheType::F16);
    assert_eq!(cells, Some(32 * (4 + 4) * 2));
}

#[test]
fn windows_are_those_of_the_architecture() {
    let slides = |layers: Option<Vec<Layer>>| -> Vec<bool> {
        layers.expect("known").iter().map(|layer| layer.window == Some(16)).collect()
    };
    let window = [("attention.sliding_window", Value::from(16u32))];
    let of = |architecture, more: &[(&str, Value)]| slides(layers(architecture, 6, &[&window[..], more].concat()));
    assert_eq!(of("gemma2", &[]), [true, false, true, false, true, false]);
    assert_eq!(of("gemma3", &[]), [true, true, true, true, true, false]);
    assert_eq!(
        of("smallthinker", &[("expert_count", Value::from(2u32)), ("expert_used_count", Value::from(1u32))])[..5],
        [false, true, true, true, false]
    );
    let pattern = "attention.sliding_window_pattern";
    assert_eq!(of("gemma3", &[(pattern, Value::from(2u32))]), [true, false, true, false, true, false]);
    let listed = Value::array([0i32, 1, 1, 0, 0, 1]);
    assert_eq!(of("gemma3", &[(pattern, listed)]), [false, true, true, false, false, true]);
    // llama.cpp reads no window for it.
    assert_eq!(of("llama", &[]), [false; 6]);
    assert_eq!(slides(layers("gemma3", 6, &[])), [false; 6]);
}

#[test]
fn layers_that_keep_nothing_of_their_own() {
    // Those that guess ahead are not run.
    assert_eq!(layers("glm4", 3, &[("nextn_predict_layers", Value::from(1u32))]), Some(vec![PLAIN; 2]));
    // An encoder sees a text at once.
    assert_eq!(layers("bert", 2, &[]), Some(vec![Layer::default(); 2]));
    // Each sequence has a cache of its own, with compressed parts.
    assert_eq!(layers("deepseek4", 1, &[]), None);
}

#[test]
fn a_state_does_not_grow() {
    let ssm = [
        ("ssm.conv_kernel", Value::from(4u32)),
        ("ssm.inner_size", Value::from(16u32)),
        ("ssm.state_size", Value::from(3u32)),
        ("ssm.time_step_rank", Value::from(2u32)),
    ];
    // Three columns of 16 numbers to convolve, and 3 for each of 16 to carry on.
    let state = 4 * (3 * 16 + 3 * 16);
    let none = ("attention.head_count", Value::from(0u32));
    let found = layers("mamba", 2, &[&ssm[..], &[none]].concat());
    assert_eq!(found, Some(vec![Layer { state, ..Layer::default() }; 2]));

    let kv = [("attention.head_count_kv", Value::array([0u32, 1, 0]))];
    let found = layers("jamba", 3, &[&ssm[..], &kv].concat()).expect("known");
    assert_eq!(
        found.iter().map(|layer| (layer.kv_heads, layer.state)).collect::<Vec<_>>(),
        [(0, state), (1, 0), (0, state)]
    );
    let found = layers("lfm2", 3, &[&kv[..], &[("shortconv.l_cache", Value::from(3u32))]].concat()).expect("known");
    assert_eq!(found.iter().map(|layer| layer.state).collect::<Vec<_>>(), [4 * 8 * 2, 0, 4 * 8 * 2]);

    let groups = ("ssm.group_count", Value::from(1u32));
    let found = layers("qwen3next", 4, &[&ssm[..], &[groups]].concat()).expect("known");
    let state = 4 * (3 * (16 + 2 * 3) + 3 * 16);
    assert_eq!(
        found.iter().map(|layer| (layer.kv_heads, layer.state)).collect::<Vec<_>>(),
        [(0, state), (0, state), (0, state), (1, 0)]
    );
}

/// Latent attention with one key of 4 numbers, and an indexer of 6.
fn indexed(architecture: &str, count: u32, more: &[(&str, Value)]) -> Vec<(u32, u32, u32)> {
    let keys = [
        ("attention.key_length_mla", Value::from(4u32)),
        ("attention.value_length_mla", Value::from(4u32)),
        ("attention.indexer.key_length", Value::from(6u32)),
    ];
    let found = layers(architecture, count, &[&keys[..], more].concat()).expect("known");
    found.iter().map(|layer| (layer.key, layer.value, layer.index)).collect()
}

#[test]
fn an_indexer_keeps_keys_beside_the_cache() {
    let types = |numbers: &[u32]| ("attention.indexer.types", Value::array(numbers.iter().copied()));
    assert_eq!(indexed("deepseek32", 2, &[]), [(4, 0, 6); 2]);
    assert_eq!(indexed("deepseek32", 2, &[("nextn_predict_layers", 1u32.into())]), [(4, 0, 6)]);
    assert_eq!(indexed("glm-dsa", 2, &[types(&[1, 0])]), [(4, 0, 6), (4, 0, 0)]);
    // Older ones have them everywhere, and newer ones in the first two layers and then in one of four.
    assert_eq!(indexed("glm-dsa", 8, &[]), [(4, 0, 6); 8]);
    let newer: Vec<u32> =
        indexed("glm-dsa", 8, &[("context_length", (1u32 << 20).into())]).iter().map(|layer| layer.2).collect();
    assert_eq!(newer, [6, 6, 6, 0, 0, 0, 6, 0]);
    assert_eq!(indexed("hy_v4", 2, &[types(&[1, 0])]), [(4, 0, 0); 2]);
    let top = ("attention.indexer.top_k", Value::from(2u32));
    assert_eq!(indexed("hy_v4", 2, &[types(&[1, 0]), top]), [(4, 0, 6), (4, 0, 0)]);
    // As a cache of its own it has values too, unless those are computed from keys.
    let dense = ("leading_dense_block_count", Value::from(1u32));
    let found = layers("minimax-m3", 2, &[dense, ("attention.indexer.key_length", 6u32.into())]).expect("known");
    assert_eq!(found, [PLAIN, Layer { index: 6 + 4, ..PLAIN }]);
}

#[test]
fn a_state_by_the_delta_rule_is_a_square_for_each_head() {
    let keys = [
        ("kda.head_dim", Value::from(3u32)),
        ("ssm.conv_kernel", Value::from(4u32)),
        ("attention.head_count_kv", Value::array([0u32, 1, 0])),
    ];
    // Three convolutions look three tokens back, in two heads of three numbers.
    let state = 4 * (3 * 3 * 2 * 3 + 3 * 3 * 2);
    for architecture in ["kimi-linear", "kimi-k3", "bailingmoe3", "glm5-next"] {
        let found = layers(architecture, 3, &keys).expect("known");
        let kept: Vec<_> = found.iter().map(|layer| (layer.kv_heads, layer.state)).collect();
        assert_eq!(kept, [(0, state), (1, 0), (0, state)], "{architecture}");
    }
    // Of those that guess ahead the hybrids keep a place in the cache, and no state.
    let guess = [&keys[..], &[("nextn_predict_layers", 1u32.into())]].concat();
    let found = layers("kimi-linear", 3, &guess).expect("known");
    assert_eq!(found.iter().map(|layer| layer.state).collect::<Vec<_>>(), [state, 0, 0]);
}

#[test]
fn layers_without_attention_are_those_that_the_file_lists() {
    let listed = ("attention.recurrent_layers", Value::array([1u32, 0, 1]));
    let found = layers("minimax-01", 3, &[listed]).expect("known");
    // A square of four numbers for each of two heads.
    let state = 4 * 4 * 4 * 2;
    let kept: Vec<_> = found.iter().map(|layer| (layer.kv_heads, layer.state)).collect();
    assert_eq!(kept, [(0, state), (1, 0), (0, state)]);
}

#[test]
fn a_layer_that_runs_several_times_keeps_something_each_time() {
    assert_eq!(layers("nanbeige", 2, &[("num_loops", 3u32.into())]), Some(vec![PLAIN; 6]));
    assert_eq!(layers("graniteswitch", 2, &[]), Some(vec![PLAIN; 3]));
    for plain in ["hrm_text", "t5", "t5encoder", "llama-embed"] {
        let loops =
            [("hrm.layers_per_stack", 1u32.into()), ("hrm.h_cycles", 1u32.into()), ("hrm.l_cycles", 1u32.into())];
        assert_eq!(layers(plain, 2, &loops), Some(vec![PLAIN; 2]), "{plain}");
    }
}

#[test]
fn a_feed_forward_network_that_stands_alone_keeps_nothing() {
    let keys = [
        ("ssm.conv_kernel", Value::from(4u32)),
        ("ssm.inner_size", Value::from(16u32)),
        ("ssm.state_size", Value::from(3u32)),
        ("ssm.time_step_rank", Value::from(2u32)),
        ("ssm.group_count", Value::from(1u32)),
        ("attention.head_count_kv", Value::array([0u32, 0, 1])),
        ("feed_forward_length", Value::array([0u32, 16, 0])),
    ];
    let state = 4 * (3 * (16 + 2 * 3) + 3 * 16);
    let found = layers("nemotron_h", 3, &keys).expect("known");
    assert_eq!(
        found.iter().map(|layer| (layer.kv_heads, layer.state)).collect::<Vec<_>>(),
        [(0, state), (0, 0), (1, 0)]
    );
}
