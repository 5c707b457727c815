//! What happens to files that do not load, and to loads that stop.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{STORIES, encode, load, shared};
use trillm_core::{Engine, Error, LoadOptions};
use trillm_llama::Llama;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::Shape;

fn scratch(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("a scratch file");
    path
}

/// A model that is sound as long as nobody writes to it.
fn tiny(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    TinyLlama::default().write_gguf(&path).expect("the model is written");
    path
}

/// What llama.cpp logs of a file that was sound when its header was read, and that `spoil` did something to since.
fn refused(name: &str, spoil: impl FnOnce(&Path)) -> Vec<String> {
    let path = tiny(name);
    let file = trillm_formats::open(&path).expect("a sound model");
    spoil(&path);
    match Llama.load(file, &LoadOptions::default()).err() {
        Some(Error::Load { engine: "llama", path: named, log, .. }) => {
            assert_eq!(named, path);
            log
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_are_not_gguf_any_more() {
    let replaced = |name: &str, content: &[u8]| refused(name, |path| std::fs::write(path, content).expect("written"));
    let log = replaced("text.gguf", b"this is not a model, it is a sentence");
    assert!(log.iter().any(|line| line.contains("magic")), "{log:?}");
    assert!(!replaced("empty.gguf", b"").is_empty());
    assert!(!replaced("short.gguf", b"GGUF\x03\0\0\0").is_empty());
    assert!(!refused("gone.gguf", |path| std::fs::remove_file(path).expect("removed")).is_empty());
}

#[test]
fn a_file_that_is_cut_off() {
    let log = refused("cut.gguf", |path| {
        let file = OpenOptions::new().write(true).open(path).expect("the model");
        file.set_len(file.metadata().expect("its length").len() - 1000).expect("shortened");
    });
    assert!(log.iter().any(|line| line.contains("not within the file bounds")), "{log:?}");
}

#[test]
fn the_tokenizer_is_the_one_that_was_read() {
    let path = tiny("tokens.gguf");
    let file = trillm_formats::open(&path).expect("a sound model");
    let mut bytes = std::fs::read(&path).expect("the model");
    let (read, other) = ("▁the".as_bytes(), "▁thx".as_bytes());
    let at = bytes.windows(read.len()).position(|window| window == read).expect("a token");
    bytes[at..at + read.len()].copy_from_slice(other);
    std::fs::write(&path, bytes).expect("written");
    let model = Llama.load(file, &LoadOptions::default()).expect("the model loads");
    let spellings: Vec<_> =
        encode(&*model, "on the").into_iter().map(|token| model.tokenizer().spelling(token)).collect();
    assert_eq!(spellings.last(), Some(&Some("▁the")));
}

#[test]
fn a_file_with_other_tokens_than_were_read() {
    let path = tiny("other.gguf");
    let file = trillm_formats::open(&path).expect("a sound model");
    let shape = Shape { vocabulary: 400, ..TinyLlama::default().shape };
    TinyLlama { shape, ..TinyLlama::default() }.write_gguf(&path).expect("the model is written");
    let error = Llama.load(file, &LoadOptions::default()).err();
    let Some(Error::Load { reason, .. }) = error else { panic!("{error:?}") };
    assert!(reason.contains("was changed"), "{reason}");
}

#[test]
fn progress_tells_and_cancels() {
    let Some(path) = shared(STORIES) else { return };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let progress = move |share| {
        sink.lock().expect("no panic").push(share);
        true
    };
    load(&path, &LoadOptions { progress: Some(Arc::new(progress)), ..LoadOptions::default() }).expect("it loads");
    let seen = seen.lock().expect("no panic");
    assert!(seen.is_sorted() && seen.last() == Some(&1.0), "{seen:?}");

    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let cancel = move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    let cancelled = load(&path, &LoadOptions { progress: Some(Arc::new(cancel)), ..LoadOptions::default() });
    assert_eq!(cancelled.err(), Some(Error::Cancelled));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_panic_in_progress_comes_back() {
    let Some(path) = shared(STORIES) else { return };
    let options = LoadOptions { progress: Some(Arc::new(|_| panic!("stop"))), ..LoadOptions::default() };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load(&path, &options)));
    assert_eq!(panic.err().and_then(|panic| panic.downcast_ref::<&str>().copied()), Some("stop"));
}

#[test]
fn adapters_that_are_none() {
    let Some(path) = shared(STORIES) else { return };
    let not_gguf = scratch("adapter.bin", b"no adapter");
    for adapter in [Path::new("/no/such/adapter.gguf"), &not_gguf, &path] {
        let lora = vec![(adapter.to_path_buf(), 1.0)];
        let error = load(&path, &LoadOptions { lora, ..LoadOptions::default() }).err();
        let Some(Error::Refused(refusal)) = error else { panic!("{error:?}") };
        assert!(refusal.message.contains(&adapter.display().to_string()), "{refusal:?}");
        // What llama.cpp said of the model is no part of it.
        assert!(!refusal.message.contains("load:"), "{refusal:?}");
    }
}

#[test]
fn a_gpu_that_is_not_there() {
    if trillm_llama::system_info().gpu {
        return;
    }
    let options = LoadOptions { gpu_layers: Some(1), ..LoadOptions::default() };
    assert!(matches!(load(&tiny("gpu.gguf"), &options).err(), Some(Error::Unsupported { .. })));
}

#[test]
fn accepts_gguf_only() {
    assert!(Llama.accepts("gguf") && !Llama.accepts("safetensors") && !Llama.accepts(""));
    assert_eq!(Llama.name(), "llama");
}
