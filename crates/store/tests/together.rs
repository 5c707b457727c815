//! Many threads and processes on one store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{fs, path::Path, thread};

use fixture::{Other, Random, assert_settled, commit, days, names, pull, role, rounds};
use trillm_core::Coded;
use trillm_store::{Digest, Store};

fn content() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn assert_whole(root: &Path, models: usize) {
    let store = Store::open(root).unwrap();
    let listing = store.list().unwrap();
    assert_eq!((listing.models.len(), listing.problems.len()), (models, 0));
    for manifest in listing.models {
        store.get(&manifest.model.reference).unwrap();
        assert_eq!(store.verify(&manifest.model.reference).unwrap(), []);
    }
    assert_settled(&store);
    assert_eq!(names(root.join("blobs/sha256")).len(), models.min(1));
}

#[test]
fn threads_may_do_the_same_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pull(&Store::open(folder.path()).unwrap(), "m", &[("x.gguf", &content)]).unwrap());
        }
    });
    assert_whole(folder.path(), 1);
}

#[test]
fn processes_may_do_the_same_at_once() {
    if let Some((_, store)) = role() {
        let manifest = pull(&store, "m", &[("x.gguf", &content())]).unwrap();
        return store.path_of(&manifest).map(drop).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let start = |_| Other::start("processes_may_do_the_same_at_once", "pull", folder.path());
    let others: Vec<_> = (0..4).map(start).collect();
    others.into_iter().for_each(Other::wait);
    assert_whole(folder.path(), 1);
}

/// Adds a model that shares its blob with others, and removes it again. A put that finds its blob removed says so, and
/// makes nothing visible.
fn add_and_remove(store: &Store, name: &str, content: &[u8]) {
    // Like a download: again if a removal came between.
    while let Err(error) = pull(store, name, &[("x.gguf", content)]) {
        assert_eq!(error.code(), "model_damaged", "{error}");
        assert_eq!(store.get(name).unwrap_err().code(), "model_not_found");
    }
    // Nobody else removes this one, so it must be whole, however often the others are removed.
    store.get(name).unwrap();
    store.remove(name).unwrap();
}

#[test]
fn removing_while_others_add_loses_nothing() {
    let content = &content()[..4096];
    if let Some((name, store)) = role() {
        return (0..rounds(50)).for_each(|_| add_and_remove(&store, &name, content));
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let start = |name| Other::start("removing_while_others_add_loses_nothing", name, folder.path());
    let others: Vec<_> = ["p", "q"].map(start).into();
    thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let store = &store;
            scope.spawn(move || (0..rounds(50)).for_each(|_| add_and_remove(store, name, content)));
        }
    });
    others.into_iter().for_each(Other::wait);
    assert_whole(folder.path(), 0);
}

/// Each process and thread has a model of its own, whose generations share blobs with all others, and does what a user
/// might. Its own model must do what it is told, whatever the others do.
fn live(store: &Store, name: &str, random: &mut Random) {
    const CONTENTS: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
    let content = |random: &mut Random| CONTENTS[random.below(4) as usize];
    match random.below(8) {
        0..4 => {
            let (x, y) = (content(random), content(random));
            let manifest = loop {
                match pull(store, name, &[("x", x), ("y", y)]) {
                    Ok(manifest) => break manifest,
                    Err(error) => assert_eq!(error.code(), "model_damaged", "{error}"),
                }
                // What was in use before is so still, and whole.
                assert!(store.get(name).map_or_else(|error| error.code() == "model_not_found", |_| true));
            };
            assert_eq!(store.history(name).unwrap().1, manifest.model.id().to_string());
        }
        4 => match store.rollback(name, None) {
            Ok(manifest) => assert_eq!(store.history(name).unwrap().1, manifest.model.id().to_string()),
            Err(error) => {
                assert!(["no_generation", "model_not_found", "model_damaged"].contains(&error.code()), "{error}");
            }
        },
        5 => match store.remove(name) {
            Ok(_) => assert_eq!(store.history(name).unwrap_err().code(), "model_not_found"),
            Err(error) => assert_eq!(error.code(), "model_not_found", "{error}"),
        },
        6 => {
            store.collect(Some(random.below(3) as usize)).unwrap();
        }
        _ => {
            // A blob of the past: what nobody wants goes at the next collection, while someone may be about to put it.
            let blob = commit(store, content(random)).unwrap();
            let path = store.root().join("blobs/sha256").join(blob.sha256.to_string());
            let old = fs::FileTimes::new().set_modified(std::time::SystemTime::now() - days(2));
            let _ = fs::File::open(path).and_then(|file| file.set_times(old));
        }
    }
    // A put that succeeded, or a rollback, is not undone by what others remove.
    if let Ok((_, in_use)) = store.history(name) {
        assert_eq!(store.get(name).unwrap().model.id().to_string(), in_use);
    }
}

#[test]
fn whatever_others_do_a_model_is_what_its_owner_made_it() {
    if let Some((name, store)) = role() {
        let mut random = Random(name.len() as u64);
        return (0..rounds(60)).for_each(|_| live(&store, &name, &mut random));
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let start = |name| Other::start("whatever_others_do_a_model_is_what_its_owner_made_it", name, folder.path());
    let others: Vec<_> = ["p", "pq", "pqr"].map(start).into();
    thread::scope(|scope| {
        for name in ["abcd", "abcde", "abcdef"] {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(name.len() as u64);
                (0..rounds(60)).for_each(|_| live(store, name, &mut random));
            });
        }
    });
    others.into_iter().for_each(Other::wait);
    let listing = store.list().unwrap();
    assert!(listing.problems.is_empty());
    for manifest in listing.models {
        store.get(&manifest.model.reference).unwrap();
        assert_eq!(store.verify(&manifest.model.reference).unwrap(), []);
    }
    assert_settled(&store);
}

/// Removers are killed at any moment. Nothing that is wanted is lost for longer than until the next opening.
#[test]
fn a_killed_removal_takes_nothing_with_it() {
    if let Some((_, store)) = role() {
        loop {
            pull(&store, "mine", &[("x", b"shared"), ("y", b"mine")]).ok();
            store.remove("mine").ok();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    for round in 0..rounds(20) {
        let other = Other::start("a_killed_removal_takes_nothing_with_it", "remove", folder.path());
        let store = Store::open(folder.path()).unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_millis(20 + random.below(100));
        let mut put = false;
        while std::time::Instant::now() < until {
            put = pull(&store, "kept", &[("x", b"shared")]).is_ok();
            if !put {
                continue;
            }
            store.remove("kept").unwrap();
            put = pull(&store, "kept", &[("x", b"shared")]).is_ok();
        }
        // This store was open all the time, and finds out.
        drop(other);
        if put {
            assert_eq!(store.get("kept").unwrap().model.files[0].sha256, Digest::of(b"shared"), "round {round}");
        }
        let store = Store::open(folder.path()).unwrap();
        pull(&store, "kept", &[("x", b"shared")]).unwrap();
        assert!(names(folder.path().join("taken")).is_empty());
        assert!(store.list().unwrap().problems.is_empty());
    }
}
