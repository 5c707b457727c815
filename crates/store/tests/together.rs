//! Many threads and processes on one store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use trillm_core::Coded;
use trillm_store::{Digest, Manifest, ModelFile, Source, Store};

/// Set in the processes that [`processes_may_do_the_same_at_once`] starts.
const ROOT: &str = "TRILLM_TEST_STORE";

fn content() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn pull(store: &Store, reference: &str, content: &[u8]) -> Result<(), trillm_store::Error> {
    let mut staging = store.stage("test".parse()?)?;
    content.chunks(1 << 16).try_for_each(|chunk| staging.write(chunk))?;
    let blob = staging.commit(Some(Digest::of(content)))?;
    let files = vec![ModelFile { name: "x.gguf".parse()?, sha256: blob.sha256, size: blob.size }];
    let source =
        Source::Pypi { package: "a".into(), version: "1".into(), archive: "a.whl".into(), sha256: blob.sha256 };
    let manifest = Manifest::new(reference, source, files, None)?;
    store.put(&manifest)?;
    store.path_of(&manifest).map(drop)
}

fn assert_whole(root: &Path, models: usize) {
    let store = Store::open(root).unwrap();
    let listing = store.list().unwrap();
    assert_eq!((listing.models.len(), listing.problems.len()), (models, 0));
    for model in listing.models {
        store.verify(&model.reference).unwrap();
    }
    assert_eq!(fs::read_dir(store.staging()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.join("blobs/sha256")).unwrap().count(), models.min(1));
}

#[test]
fn threads_may_do_the_same_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pull(&Store::open(folder.path()).unwrap(), "m", &content).unwrap());
        }
    });
    assert_whole(folder.path(), 1);
}

#[test]
fn processes_may_do_the_same_at_once() {
    if let Some(root) = env::var_os(ROOT) {
        return pull(&Store::open(root).unwrap(), "m", &content()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let me = env::current_exe().unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new(&me)
                .args(["--exact", "processes_may_do_the_same_at_once"])
                .env(ROOT, folder.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_whole(folder.path(), 1);
}

/// One thread adds models that share a blob while another removes them: at every moment each model is whole, or
/// absent, or reported as damaged by the put that was interrupted; a last put heals everything.
#[test]
fn removing_while_others_add_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let content = &content()[..4096];
    let open = || Store::open(folder.path()).unwrap();
    thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            scope.spawn(move || {
                let store = open();
                for _ in 0..100 {
                    // Like a download: again if a removal came between.
                    while let Err(error) = pull(&store, name, content) {
                        assert_eq!(error.code(), "model_damaged", "{error}");
                    }
                    // Nobody else removes this one, so it must be whole, however often the others are removed. A blob
                    // that a removal is looking at is away for a moment.
                    let whole = (0..1000).any(|_| {
                        thread::yield_now();
                        store.get(name).is_ok()
                    });
                    assert!(whole, "{name} lost its blob");
                    store.remove(name).unwrap();
                }
            });
        }
    });
    assert_whole(folder.path(), 0);
}

#[test]
fn one_holds_the_lock_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let lock = store.try_lock("m").unwrap();
    assert!(store.try_lock("m").is_none());
    assert!(store.try_lock("n").is_some());
    drop(lock);
    assert!(store.try_lock("m").is_some());
}

#[test]
fn a_lock_that_cannot_be_had_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    fs::write(folder.path().join("locks"), b"in the way").unwrap();
    assert!(store.try_lock("m").is_some());
}
