//! What happens to files that do not load, and to loads that stop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{STORIES, load, shared};
use trillm_core::{Engine, Error, LoadOptions};
use trillm_llama::Llama;

fn scratch(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("a scratch file");
    path
}

fn refused(path: &Path) -> Vec<String> {
    match load(path, &LoadOptions::default()).err() {
        Some(Error::Load { engine: "llama", path: named, log, .. }) => {
            assert_eq!(named, path);
            log
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_are_not_gguf() {
    let log = refused(&scratch("text.gguf", b"this is not a model, it is a sentence"));
    assert!(log.iter().any(|line| line.contains("magic")), "{log:?}");
    assert!(!refused(&scratch("empty.gguf", b"")).is_empty());
    assert!(!refused(&scratch("short.gguf", b"GGUF\x03\0\0\0")).is_empty());
    assert!(!refused(Path::new("/no/such/file.gguf")).is_empty());
    assert!(!refused(Path::new(env!("CARGO_TARGET_TMPDIR"))).is_empty());
}

#[test]
fn a_cut_off_file() {
    let Some(path) = shared(STORIES) else { return };
    let whole = std::fs::read(path).expect("the model reads");
    let log = refused(&scratch("cut.gguf", &whole[..whole.len() - 1000]));
    assert!(log.iter().any(|line| line.contains("not within the file bounds")), "{log:?}");
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
        let Some(Error::Load { path: named, reason, .. }) = error else { panic!("{error:?}") };
        assert_eq!(named, adapter);
        assert!(reason.contains("GGUF") || reason.contains("LoRA"), "{reason}");
    }
}

#[test]
fn a_gpu_that_is_not_there() {
    if trillm_llama::system_info().gpu {
        return;
    }
    let options = LoadOptions { gpu_layers: Some(1), ..LoadOptions::default() };
    assert!(matches!(load(Path::new("any.gguf"), &options).err(), Some(Error::Unsupported { .. })));
}

#[test]
fn accepts_gguf_only() {
    assert!(Llama.accepts("gguf") && !Llama.accepts("safetensors") && !Llama.accepts(""));
    assert_eq!(Llama.name(), "llama");
}
