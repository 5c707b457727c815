//! Zero-copy means: no weight is in memory of this process's own.

#![cfg(target_os = "linux")]

use trillm_candle::Candle;
use trillm_core::{Batch, Engine, LoadOptions, SessionOptions, Slot, Token};
use trillm_testkit::RandomModel;
use trillm_testkit::models::Shape;
use trillm_testkit::models::gguf::TensorType;

/// Bytes of this process's own memory, and of files that it has mapped and touched.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of the status");
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().expect("kilobytes") * 1024
    };
    (field("RssAnon:"), field("RssFile:"))
}

/// The only test in this file, so that nothing else uses memory in its process.
#[test]
fn weights_stay_in_the_file() {
    let shape =
        Shape { layers: 6, width: 1024, heads: 16, kv_heads: 4, feed_forward: 4096, vocabulary: 16_000, context: 512 };
    let folder = tempfile::tempdir().expect("a folder");
    let model = RandomModel { shape, kind: TensorType::Bf16, ..RandomModel::default() };
    model.write_huggingface(folder.path()).expect("the model is written");
    let bytes = 2 * shape.parameters();
    assert!(bytes > 200 << 20, "{bytes} bytes are too few to tell");

    let (own, files) = resident();
    let file = trillm_formats::open(folder.path()).expect("a sound model");
    let model = Candle.load(file, &LoadOptions::default()).expect("the model loads");
    let options = SessionOptions { context: Some(512), threads: Some(2), ..SessionOptions::default() };
    let mut session = model.session(&options).expect("a session");
    let mut batch = Batch::default();
    for start in 0..4 {
        batch.clear();
        batch.push(Slot(0), start, &[Token(300)], true);
        session.step(&batch).expect("a step");
    }
    let (own_after, files_after) = resident();
    let (own, files) = (own_after.saturating_sub(own), files_after.saturating_sub(files));
    // The page of the cache that was written, a row of scores, the tokenizer.
    assert!(own < 20 << 20, "{own} bytes of our own for {bytes} bytes of weights");
    // Of the embedding only the rows of the tokens were read; the output matrix is another.
    let read = bytes - 2 * u64::from(shape.vocabulary * shape.width);
    assert!(files > read * 9 / 10, "{files} bytes of files were touched for {read} bytes of weights that were read");
}
