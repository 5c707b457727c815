//! Files of this machine that become blobs, and what happens when their owner changes them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]

mod fixture;

use std::{
    fs,
    path::{Path, PathBuf},
};

use fixture::store;
use trillm_core::Coded;
use trillm_store::{Blob, Digest, Expected, FileName, Link, Model, ModelFile, Source, Store};

const CONTENT: &[u8] = b"weights of someone else";

fn file(folder: &Path) -> PathBuf {
    let path = folder.join("model.gguf");
    fs::write(&path, CONTENT).unwrap();
    path
}

fn put(store: &Store, blob: Blob) {
    let name: FileName = "model.gguf".parse().unwrap();
    let file = ModelFile { name, sha256: blob.sha256, size: blob.size, origin: None };
    let source = Source::Import { path: "somewhere".into() };
    let model = Model {
        reference: "local:m".into(),
        source,
        files: vec![file],
        open: None,
        licence: None,
        chat: None,
        notes: Vec::new(),
    };
    store.put(model).unwrap();
}

#[test]
fn each_way_in_gives_the_same_bytes() {
    for how in [Link::Auto, Link::Hardlink, Link::Reference, Link::Copy] {
        let (_folder, store) = store();
        let theirs = tempfile::tempdir().unwrap();
        let path = file(theirs.path());
        let permissions = fs::metadata(&path).unwrap().permissions();
        let (blob, done) = store.import(&path, how, Expected::sha256(Digest::of(CONTENT))).unwrap();
        assert!(done == Some(how) || how == Link::Auto && done != Some(Link::Copy), "{done:?}");
        put(&store, blob);
        let opened = store.path_of(&store.get("local:m").unwrap()).unwrap();
        assert_eq!(fs::read(opened).unwrap(), CONTENT);
        assert_eq!(store.verify("local:m").unwrap(), []);
        // What is someone else's stays as it was.
        assert_eq!(fs::metadata(&path).unwrap().permissions(), permissions);
        assert_eq!(fs::read_dir(store.staging()).unwrap().count(), 0);
        store.remove("local:m").unwrap();
        assert_eq!(fs::read(&path).unwrap(), CONTENT);
    }
}

#[test]
fn a_link_leads_to_the_file_itself() {
    let (_folder, store) = store();
    let theirs = tempfile::tempdir().unwrap();
    let path = file(theirs.path());
    let link = theirs.path().join("link.gguf");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (blob, _) = store.import(&link, Link::Reference, Expected::default()).unwrap();
    let target = fs::read_link(store.root().join("blobs/sha256").join(blob.sha256.to_string())).unwrap();
    assert_eq!(target, path.canonicalize().unwrap());
}

#[test]
fn a_file_that_is_not_what_was_announced_stays_outside() {
    let (_folder, store) = store();
    let theirs = tempfile::tempdir().unwrap();
    let path = file(theirs.path());
    let wrong = Expected::sha256(Digest::of(b"other"));
    assert_eq!(store.import(&path, Link::Auto, wrong).unwrap_err().code(), "digest_mismatch");
    assert_eq!(store.import(theirs.path(), Link::Auto, Expected::default()).unwrap_err().code(), "cannot_link");
    assert_eq!(fs::read_dir(store.root().join("blobs/sha256")).unwrap().count(), 0);
}

#[test]
fn what_its_owner_changes_is_not_handed_out() {
    for how in [Link::Hardlink, Link::Reference] {
        let (_folder, store) = store();
        let theirs = tempfile::tempdir().unwrap();
        let path = file(theirs.path());
        put(&store, store.import(&path, how, Expected::default()).unwrap().0);
        // As long as before, so only its time of change tells.
        fs::write(&path, b"WEIGHTS of someone else").unwrap();
        assert_eq!(store.get("local:m").unwrap_err().code(), "model_damaged");
        assert_eq!(store.verify("local:m").unwrap()[0].ranges, [0..CONTENT.len() as u64]);
        // Written again as it was, it is believed again.
        fs::write(&path, CONTENT).unwrap();
        assert!(store.get("local:m").is_ok());
        assert_eq!(store.verify("local:m").unwrap(), []);
    }
}

#[test]
fn a_reference_to_what_is_gone_is_damaged_and_can_be_replaced() {
    let (_folder, store) = store();
    let theirs = tempfile::tempdir().unwrap();
    let path = file(theirs.path());
    put(&store, store.import(&path, Link::Reference, Expected::default()).unwrap().0);
    let moved = theirs.path().join("moved.gguf");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(store.get("local:m").unwrap_err().code(), "model_damaged");
    store.import(&moved, Link::Reference, Expected::default()).unwrap();
    assert!(store.get("local:m").is_ok());
}

#[test]
#[expect(clippy::print_stdout, reason = "who reads the tests should know")]
fn another_file_system_is_only_referred_to() {
    let elsewhere = Path::new("/dev/shm");
    let (folder, store) = store();
    let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
    if !elsewhere.is_dir() || device(elsewhere) == device(folder.path()) {
        println!("skipped: there is no second file system");
        return;
    }
    let theirs = tempfile::tempdir_in(elsewhere).unwrap();
    let path = file(theirs.path());
    let refused = store.import(&path, Link::Hardlink, Expected::default()).unwrap_err();
    assert_eq!(refused.code(), "cannot_link");
    assert_eq!(store.import(&path, Link::Auto, Expected::default()).unwrap().1, Some(Link::Reference));
}
