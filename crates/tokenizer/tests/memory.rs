//! What an open tokenizer costs in memory that is its own. One test, so that nothing else allocates beside it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

mod common;

use std::fs;
use std::path::Path;

use common::alphabet;
use serde_json::{Map, Value, json};
use trillm_core::Tokenizer;
use trillm_formats::huggingface::Sidecars;
use trillm_tokenizer::HuggingFaceTokenizer;

/// Anonymous memory of this process, in kB.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A byte-level file of 49,152 tokens, all but 256 of them merges: the sizes of `SmolLM`.
fn write(path: &Path) {
    let alphabet = alphabet();
    let (mut tokens, mut merges) = (alphabet.clone(), Vec::new());
    // Each token of the list with each letter, so that tokens have two letters, then three, then more.
    'all: for at in 0.. {
        for letter in &alphabet[64..96] {
            if tokens.len() == 49_152 {
                break 'all;
            }
            merges.push(json!([tokens[at], letter]));
            tokens.push(format!("{}{letter}", tokens[at]));
        }
    }
    let vocab: Map<String, Value> = tokens.into_iter().zip(0..).map(|(text, id)| (text, json!(id))).collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let file = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": byte_level, "post_processor": null,
        "decoder": byte_level, "model": { "type": "BPE", "vocab": vocab, "merges": merges },
    });
    fs::write(path, file.to_string()).unwrap();
}

#[test]
fn a_large_tokenizer_costs_a_few_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    // In a thread: its heap is another one, and what it freed stays out of the count.
    let written = path.clone();
    std::thread::spawn(move || write(&written)).join().unwrap();
    let before = anonymous();
    let tokenizer = HuggingFaceTokenizer::open(&path, &Sidecars::default()).unwrap();
    let opened = anonymous();
    let mut out = Vec::new();
    tokenizer.encode(&"Hello, world! ".repeat(1000), false, false, &mut out).unwrap();
    drop(out);
    let used = anonymous();
    assert_eq!(tokenizer.vocabulary(), 49_152);
    // It was 4.8 MB; the library takes 23 MB for GPT-2's file, of the same size.
    assert!(used - before < 8000, "{before} kB, {opened} kB when open, {used} kB when used");
}
