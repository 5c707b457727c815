//! What each layer keeps, by the header of a GGUF file: as llama.cpp allocates it.

mod common;

use common::{V, Writer, model, text};
use trillm_core::{CacheType, Layer};

/// A model of another architecture with so many layers, and more keys of it: two heads of four numbers, one of them for
/// keys and values.
fn layers(architecture: &str, count: u32, keys: &[(&str, V)]) -> Option<Vec<Layer>> {
    let name = |key: &str| format!("{architecture}.{key}");
    let mut writer = Writer::model().key("general.architecture", text(architecture)).set(|writer| {
        for (key, _) in &mut writer.keys {
            if let Some(rest) = key.strip_prefix(b"llama.") {
                *key = name(std::str::from_utf8(rest).expect("a name")).into();
            }
        }
    });
    writer = writer.key(&name("block_count"), V::U32(count));
    for (key, value) in keys {
        writer = writer.key(&name(key), value.clone());
    }
    let info = model(&writer.bytes()).expect("accepted");
    assert_eq!((info.shape.width, info.shape.vocabulary), (8, 259));
    assert_eq!(info.shape.weights.keys().collect::<Vec<_>>(), ["F32"]);
    assert_eq!(info.shape.dominant(), info.quantization);
    info.shape.layers
}

const PLAIN: Layer = Layer { kv_heads: 1, key: 4, value: 4, window: None, state: 0 };

#[test]
fn heads_that_share_keys_are_kept_once() {
    assert_eq!(layers("llama", 3, &[]), Some(vec![PLAIN; 3]));
    let wide = [("attention.key_length", V::U32(16)), ("attention.value_length", V::U32(16))];
    let rope = ("rope.dimension_count", V::U32(16));
    let found = layers("qwen3", 1, &[&wide[..], &[rope]].concat());
    assert_eq!(found, Some(vec![Layer { key: 16, value: 16, ..PLAIN }]));
    let cells = model(&Writer::model().bytes()).expect("accepted").shape.cache_bytes(32, 8, CacheType::F16);
    assert_eq!(cells, Some(32 * (4 + 4) * 2));
}

#[test]
fn windows_are_those_of_the_architecture() {
    let slides = |layers: Option<Vec<Layer>>| -> Vec<bool> {
        layers.expect("known").iter().map(|layer| layer.window == Some(16)).collect()
    };
    let window = [("attention.sliding_window", V::U32(16))];
    let of = |architecture, more: &[(&str, V)]| slides(layers(architecture, 6, &[&window[..], more].concat()));
    assert_eq!(of("gemma2", &[]), [true, false, true, false, true, false]);
    assert_eq!(of("gemma3", &[]), [true, true, true, true, true, false]);
    assert_eq!(
        of("smallthinker", &[("expert_count", V::U32(2)), ("expert_used_count", V::U32(1))])[..5],
        [false, true, true, true, false]
    );
    let pattern = "attention.sliding_window_pattern";
    assert_eq!(of("gemma3", &[(pattern, V::U32(2))]), [true, false, true, false, true, false]);
    let listed = V::I32s(vec![0, 1, 1, 0, 0, 1]);
    assert_eq!(of("gemma3", &[(pattern, listed)]), [false, true, true, false, false, true]);
    // llama.cpp reads no window for it.
    assert_eq!(of("llama", &[]), [false; 6]);
    assert_eq!(slides(layers("gemma3", 6, &[])), [false; 6]);
}

#[test]
fn layers_that_keep_nothing_of_their_own() {
    // Those that guess ahead are not run.
    assert_eq!(layers("glm4", 3, &[("nextn_predict_layers", V::U32(1))]), Some(vec![PLAIN; 2]));
    // An encoder sees a text at once.
    assert_eq!(layers("bert", 2, &[]), Some(vec![Layer::default(); 2]));
    // Indexers beside the cache.
    assert_eq!(layers("deepseek4", 1, &[]), None);
}

#[test]
fn a_state_does_not_grow() {
    let ssm = [
        ("ssm.conv_kernel", V::U32(4)),
        ("ssm.inner_size", V::U32(16)),
        ("ssm.state_size", V::U32(3)),
        ("ssm.time_step_rank", V::U32(2)),
    ];
    // Three columns of 16 numbers to convolve, and 3 for each of 16 to carry on.
    let state = 4 * (3 * 16 + 3 * 16);
    let none = ("attention.head_count", V::U32(0));
    let found = layers("mamba", 2, &[&ssm[..], &[none]].concat());
    assert_eq!(found, Some(vec![Layer { state, ..Layer::default() }; 2]));

    let kv = [("attention.head_count_kv", V::U32s(vec![0, 1, 0]))];
    let found = layers("jamba", 3, &[&ssm[..], &kv].concat()).expect("known");
    assert_eq!(
        found.iter().map(|layer| (layer.kv_heads, layer.state)).collect::<Vec<_>>(),
        [(0, state), (1, 0), (0, state)]
    );
    let found = layers("lfm2", 3, &[&kv[..], &[("shortconv.l_cache", V::U32(3))]].concat()).expect("known");
    assert_eq!(found.iter().map(|layer| layer.state).collect::<Vec<_>>(), [4 * 8 * 2, 0, 4 * 8 * 2]);

    let groups = ("ssm.group_count", V::U32(1));
    let found = layers("qwen3next", 4, &[&ssm[..], &[groups]].concat()).expect("known");
    let state = 4 * (3 * (16 + 2 * 3) + 3 * 16);
    assert_eq!(
        found.iter().map(|layer| (layer.kv_heads, layer.state)).collect::<Vec<_>>(),
        [(0, state), (0, state), (0, state), (1, 0)]
    );
}
