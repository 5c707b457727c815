//! What llama.cpp allocates for a cache, by its own log, and what the shape of a model says of it.

use std::fmt::{Debug, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, callsite, subscriber};
use trillm_core::{CacheType, LoadOptions, Model, Output, Pooling, SessionOptions};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::Shape;
use trillm_testkit::models::gguf::{TensorType, Value};

use crate::common::load;
use crate::grown::{grow, header};
use crate::headers::{Keys, delta, each, experts, indexer, kept_heads, latent, no_heads, scan, streams};

/// Collects what is logged on a thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().expect("no panic"), "{value:?}").expect("a text");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The cells of a session, and what is logged while it is made.
///
/// Another test's thread may have found that nobody listens to lines of a level, and say so to all only now, when it gets
/// its turn: the lines of the sizes are missing then, or every line is. So all are asked anew, until they are there.
fn logged(model: &dyn Model, options: &SessionOptions) -> (u32, String) {
    for _ in 0..20 {
        let log = Log::default();
        let cells = subscriber::with_default(log.clone(), || {
            callsite::rebuild_interest_cache();
            model.session(options).expect("a session").limits().cells
        });
        let text = log.0.lock().expect("no panic").clone();
        if text.contains(" buffer size =") {
            return (cells, text);
        }
        sleep(Duration::from_millis(50));
    }
    panic!("no size is logged")
}

/// Checks that llama.cpp has as many bytes for a session as the model's shape says: it tells hundredths of a mebibyte of
/// each of up to three buffers.
fn check(model: &dyn Model, options: &SessionOptions) {
    let (cells, log) = logged(model, options);
    let size = |line: &str| {
        let (_, size) = line.split_once(" KV buffer size =").or(line.split_once(" RS buffer size ="))?;
        size.split_whitespace().next()?.parse::<f64>().ok()
    };
    let said: f64 = log.lines().filter_map(size).sum();
    let expected = model.info().shape.cache_bytes(cells.into(), options.parallel, options.cache_type);
    let expected = expected.expect("a known shape") as f64 / f64::from(1 << 20);
    assert!(said > 0.0 && (said - expected).abs() < 0.016, "{said} and not {expected} MiB:\n{log}");
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn keys_and_values_take_what_the_shape_says() {
    // Two of four heads' keys, in rows that divide into blocks.
    let shape = Shape { layers: 3, width: 128, ..TinyLlama::default().shape };
    let file = path("cache.gguf");
    TinyLlama { shape, ..TinyLlama::default() }.write_gguf(&file).expect("the model is written");
    let model = load(&file, &LoadOptions::default()).expect("it loads");
    for cache_type in [CacheType::F32, CacheType::F16, CacheType::Q8_0, CacheType::Q4_0] {
        for parallel in [1, 8] {
            let context = Some(32_768);
            check(
                &*model,
                &SessionOptions { context, parallel, cache_type, threads: Some(1), ..SessionOptions::default() },
            );
        }
    }
}

/// A model of an architecture with these keys.
fn grown(architecture: &str, keys: &[Keys]) -> Arc<dyn Model> {
    grow(header(architecture, &keys.concat()), &path(&format!("{architecture}.gguf"))).1
}

/// Checks it with one sequence, and with many.
fn case(architecture: &str, keys: &[Keys]) {
    let model = grown(architecture, keys);
    for (context, parallel) in [(32_768, 1), (8192, 64)] {
        let context = Some(context);
        check(&*model, &SessionOptions { context, parallel, threads: Some(1), ..SessionOptions::default() });
    }
}

#[test]
fn a_running_state_takes_what_the_shape_says() {
    let norm = ("attention.layer_norm_epsilon", Value::from(1e-5f32));
    let wkv = || vec![("wkv.head_size", 16u32.into()), norm.clone()];
    let extra = vec![("time_mix_extra_dim", 8u32.into()), ("time_decay_extra_dim", 8u32.into())];
    let ranks = [
        "attention.decay_lora_rank",
        "attention.iclr_lora_rank",
        "attention.value_residual_mix_lora_rank",
        "attention.gate_lora_rank",
    ]
    .map(|key| (key, 8u32.into()))
    .to_vec();
    case("mamba", &[scan(), no_heads()]);
    case("rwkv6", &[wkv(), extra, no_heads()]);
    case("rwkv7", &[wkv(), ranks, no_heads()]);
}

#[test]
fn states_beside_a_cache_take_what_the_shape_says() {
    let alternating = || kept_heads(&[0, 1, 0]);
    let networks = vec![("attention.layer_norm_epsilon", 1e-5f32.into()), each("feed_forward_length", &[0, 128, 0, 0])];
    let lightning = vec![("residual_scale", 1f32.into()), ("full_attention_interval", 2u32.into())];
    let situ = vec![
        ("attn_res.block_size", 2u32.into()),
        ("activation.situ_beta", 1f32.into()),
        ("activation.situ_linear_beta", 1f32.into()),
    ];
    case("jamba", &[scan(), kept_heads(&[0, 2, 0])]);
    case("nemotron_h", &[scan(), kept_heads(&[0, 0, 2, 0]), networks]);
    case("qwen3next", &[scan(), experts(), vec![("block_count", 4u32.into())]]);
    case("minimax-01", &[experts(), lightning]);
    case("kimi-linear", &[latent(), experts(), delta(), alternating()]);
    case("kimi-k3", &[latent(), experts(), delta(), situ, alternating()]);
    case("bailingmoe3", &[latent(), experts(), delta(), alternating()]);
}

#[test]
fn keys_without_values_and_indexers_take_what_the_shape_says() {
    let first = || vec![each("attention.indexer.types", &[1, 0])];
    let windows = vec![
        ("attention.kv_lora_rank_swa", 32u32.into()),
        ("attention.key_length_mla_swa", 24u32.into()),
        ("attention.value_length_mla_swa", 16u32.into()),
        ("attention.key_length_swa", 40u32.into()),
        ("attention.value_length_swa", 32u32.into()),
        ("attention.sliding_window", 64u32.into()),
        ("attention.sliding_window_pattern", Value::array([false, true])),
        ("rope.freq_base_swa", 1e4f32.into()),
    ];
    let blocks = vec![("attention.indexer.block_size", 16u32.into()), ("attention.indexer.local_blocks", 1u32.into())];
    case("deepseek2", &[latent(), experts()]);
    case("deepseek32", &[latent(), experts(), indexer()]);
    case("glm-dsa", &[latent(), experts(), indexer(), first()]);
    case("hy_v4", &[latent(), experts(), indexer(), streams(), first()]);
    case("dots3note", &[latent(), experts(), indexer(), windows, first()]);
    case("minimax-m3", &[experts(), indexer(), blocks]);
}

#[test]
fn indexers_beside_states_take_what_the_shape_says() {
    let pools = vec![
        ("attention.indexer.kpool", 4u32.into()),
        ("attention.key_length", 32u32.into()),
        ("rope.dimension_count", 0u32.into()),
    ];
    case("glm5-next", &[latent(), experts(), delta(), indexer(), streams(), kept_heads(&[0, 1, 0]), pools]);
    let n_grams = vec![
        ("block_count", 4u32.into()),
        each("rope.dimension_sections", &[4, 4, 0, 0]),
        each("attention.compress_ratios", &[0, 0, 0, 4]),
        each("ple.layers", &[0]),
        ("ple.ngram_size", 2u32.into()),
        ("ple.heads_per_ngram", 1u32.into()),
        ("ple.conv_kernel", 4u32.into()),
        ("ple.eos_token_id", 2u32.into()),
        ("ple.layer_multipliers", Value::array([3u64, 5])),
        ("ple.head_offsets", Value::array([0u64])),
        ("ple.head_vocab_sizes", Value::array([300u64])),
        ("embedding_length_per_layer_input", 64u32.into()),
    ];
    let keys = [scan(), experts(), indexer(), streams(), n_grams].concat();
    let file = header("qwen4exp", &keys).tensor("per_layer_token_embd.weight", &[64, 300], TensorType::F32);
    let (_, model) = grow(file, &path("qwen4exp.gguf"));
    let context = Some(8192);
    check(&*model, &SessionOptions { context, parallel: 64, threads: Some(1), ..SessionOptions::default() });
}

#[test]
fn layers_that_share_or_come_again_or_on_top_take_what_the_shape_says() {
    let adapters = vec![
        ("logit_scale", 1f32.into()),
        ("adapters.count", 1u32.into()),
        ("adapters.lora_rank", 4u32.into()),
        each("adapters.token_ids_activate", &[5]),
        each("adapters.token_ids_substitute", &[6]),
    ];
    let stacks =
        vec![("hrm.layers_per_stack", 1u32.into()), ("hrm.h_cycles", 1u32.into()), ("hrm.l_cycles", 1u32.into())];
    case("nanbeige", &[vec![("num_loops", 3u32.into())]]);
    case("hrm_text", &[stacks]);
    case("graniteswitch", &[adapters]);
    case("gemma3n", &[vec![("attention.sliding_window", 64u32.into())]]);
}

#[test]
fn encoders_that_have_a_cache_take_what_the_shape_says() {
    let buckets = vec![("attention.relative_buckets_count", 32u32.into()), ("attention.head_count_kv", 4u32.into())];
    for (architecture, keys) in [("llama-embed", Vec::new()), ("t5encoder", buckets)] {
        let model = grown(architecture, &[keys]);
        let output = Output::Embedding(vec![Pooling::Mean]);
        let options = SessionOptions { context: Some(2048), threads: Some(1), output, ..SessionOptions::default() };
        check(&*model, &options);
    }
}
