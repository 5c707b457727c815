//! What llama.cpp allocates for a cache, by its own log, and what the shape of a model says of it.

use std::fmt::{Debug, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};
use trillm_core::{CacheType, LoadOptions, Model, SessionOptions};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::Shape;
use trillm_testkit::models::gguf::TensorType;

use crate::common::load;

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
/// Another test's thread may have found nobody who listens, and say so to all only now, when it gets its turn. Whoever
/// listens after that is told.
fn logged(model: &dyn Model, options: &SessionOptions) -> (u32, String) {
    for _ in 0..20 {
        let log = Log::default();
        let cells = subscriber::with_default(log.clone(), || model.session(options).expect("a session").limits().cells);
        let text = log.0.lock().expect("no panic").clone();
        if !text.is_empty() {
            return (cells, text);
        }
        sleep(Duration::from_millis(50));
    }
    panic!("nothing is logged")
}

/// Checks that llama.cpp has as many bytes for a session as the model's shape says, to a hundredth of a mebibyte.
fn check(model: &dyn Model, options: &SessionOptions) {
    let (cells, log) = logged(model, options);
    let size = |line: &str| {
        let (_, size) = line.split_once(" KV buffer size =").or(line.split_once(" RS buffer size ="))?;
        size.split_whitespace().next()?.parse::<f64>().ok()
    };
    let said: f64 = log.lines().filter_map(size).sum();
    let expected = model.info().shape.cache_bytes(cells.into(), options.parallel, options.cache_type);
    let expected = expected.expect("a known shape") as f64 / f64::from(1 << 20);
    assert!(said > 1.0 && (said - expected).abs() < 0.01, "{said} and not {expected} MiB:\n{log}");
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

/// A Mamba of two layers of zeros.
fn mamba() -> PathBuf {
    const WIDTH: u64 = 64;
    const INNER: u64 = 128;
    const STATE: u64 = 16;
    const RANK: u64 = 4;
    let mut file = TinyLlama::default().gguf().architecture("llama", "mamba");
    file.keys.retain(|(key, _)| !key.starts_with(b"mamba.attention.head") && !key.starts_with(b"mamba.rope."));
    for (key, size) in [("conv_kernel", 4), ("inner_size", INNER), ("state_size", STATE), ("time_step_rank", RANK)] {
        file = file.key(&format!("mamba.ssm.{key}"), size as u32);
    }
    file.tensors.clear();
    file = file.tensor("token_embd.weight", &[WIDTH, 300], TensorType::F32);
    file = file.tensor("output_norm.weight", &[WIDTH], TensorType::F32);
    let tensors: [(&str, &[u64]); 10] = [
        ("attn_norm.weight", &[WIDTH]),
        ("ssm_in.weight", &[WIDTH, 2 * INNER]),
        ("ssm_conv1d.weight", &[4, INNER]),
        ("ssm_conv1d.bias", &[INNER]),
        ("ssm_x.weight", &[INNER, RANK + 2 * STATE]),
        ("ssm_dt.weight", &[RANK, INNER]),
        ("ssm_dt.bias", &[INNER]),
        ("ssm_a", &[STATE, INNER]),
        ("ssm_d", &[INNER]),
        ("ssm_out.weight", &[INNER, WIDTH]),
    ];
    for layer in 0..2 {
        for (name, sizes) in tensors {
            file = file.tensor(&format!("blk.{layer}.{name}"), sizes, TensorType::F32);
        }
    }
    let (out, sizes) =
        (path("mamba.gguf"), file.tensors.iter().map(|tensor| tensor.bytes as usize).collect::<Vec<_>>());
    file.write(&out, |index, data| data.write_all(&vec![0; sizes[index]])).expect("the model is written");
    out
}

#[test]
fn a_running_state_takes_what_the_shape_says() {
    let model = load(&mamba(), &LoadOptions::default()).expect("it loads");
    for (context, parallel) in [(256, 256), (32_768, 64)] {
        let context = Some(context);
        check(&*model, &SessionOptions { context, parallel, threads: Some(1), ..SessionOptions::default() });
    }
}
