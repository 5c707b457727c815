//! Stores that an earlier version wrote.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{fs, path::PathBuf, thread};

use fixture::{assert_settled, commit, names, put, store};
use trillm_core::Coded;
use trillm_store::{Digest, Manifest, Source, Store};

/// What version 0.1 wrote for `pypi:a==1:x.gguf` with the file `weights`, byte for byte.
const FIRST: &str = r#"{
  "schema": 1,
  "reference": "pypi:a==1:x.gguf",
  "source": {
    "kind": "pypi",
    "package": "a",
    "version": "1",
    "archive": "a-1.whl",
    "sha256": "0eb3e4a6b0a9b6c0a5e6c4b2a1ff0a5a8e3a1d9f7c6b5a49382716051423324f"
  },
  "files": [
    {
      "name": "x.gguf",
      "sha256": "9a4b4a5c6d6f3d7b3a1a2e9e1f0c5b7d8e2f4a6c8b0d1e3f5a7c9b1d3e5f7a90",
      "size": 7
    }
  ],
  "licence": "MIT",
  "created": 1750000000
}"#;
/// Where: the name is the reference's own.
const PLACE: &str = "pypi-a--1-x.gguf-b0547686c0790461.json";

/// A store of version 0.1, which had no other folders.
fn first() -> (tempfile::TempDir, PathBuf) {
    let (folder, store) = store();
    commit(&store, b"weights").unwrap();
    for folder in ["records", "partials", "claims", "leases", "taken"] {
        fs::remove_dir_all(store.root().join(folder)).unwrap();
    }
    let root = store.root().to_owned();
    let text = FIRST.replace("9a4b4a5c6d6f3d7b3a1a2e9e1f0c5b7d8e2f4a6c8b0d1e3f5a7c9b1d3e5f7a90", &sha256());
    fs::write(root.join("models").join(PLACE), text).unwrap();
    (folder, root)
}

fn sha256() -> String {
    Digest::of(b"weights").to_string()
}

fn assert_migrated(manifest: &Manifest) {
    assert_eq!((manifest.generation, manifest.created), (1, 1_750_000_000));
    assert_eq!(manifest.model.reference, "pypi:a==1:x.gguf");
    assert_eq!(manifest.model.licence.as_deref(), Some("MIT"));
    assert!(matches!(&manifest.model.source, Source::Pypi { archive, .. } if archive == "a-1.whl"));
    assert_eq!((manifest.model.files[0].sha256, manifest.model.files[0].size), (Digest::of(b"weights"), 7));
    assert_eq!((&manifest.model.open, &manifest.model.chat), (&None, &None));
}

#[test]
fn its_models_are_the_first_generation() {
    let (_folder, root) = first();
    let store = Store::open(&root).unwrap();
    let reference = "pypi:a==1:x.gguf";
    assert_migrated(&store.get(reference).unwrap());
    assert_eq!(names(root.join("models")), [PLACE.strip_suffix(".json").unwrap()]);
    assert_eq!(fs::read(store.path_of(&store.get(reference).unwrap()).unwrap()).unwrap(), b"weights");
    let listing = store.list().unwrap();
    assert_eq!((listing.models.len(), listing.problems.len()), (1, 0));

    assert_migrated(&Store::open(&root).unwrap().get(reference).unwrap());
    assert_eq!(put(&store, reference, &[("x.gguf", b"newer")]).generation, 2);
    assert_migrated(&store.rollback(reference, None).unwrap());
    assert_migrated(&Store::open(&root).unwrap().get(reference).unwrap());
    assert_eq!(store.remove(reference).unwrap(), 12);
    assert_settled(&store);
}

#[test]
fn what_an_earlier_version_pulls_again_changes_nothing() {
    let (_folder, root) = first();
    let text = fs::read(root.join("models").join(PLACE)).unwrap();
    let store = Store::open(&root).unwrap();
    let newer = put(&store, "pypi:a==1:x.gguf", &[("x.gguf", b"newer")]);
    fs::write(root.join("models").join(PLACE), text).unwrap();
    let store = Store::open(&root).unwrap();
    assert_eq!(store.get("pypi:a==1:x.gguf").unwrap(), newer);
    assert_eq!(store.history("pypi:a==1:x.gguf").unwrap().0.len(), 2);
    assert!(store.list().unwrap().problems.is_empty());
}

#[test]
fn many_may_open_it_at_once() {
    for _ in 0..20 {
        let (_folder, root) = first();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_migrated(&Store::open(&root).unwrap().get("pypi:a==1:x.gguf").unwrap()));
            }
        });
        assert!(Store::open(&root).unwrap().list().unwrap().problems.is_empty());
    }
}

#[test]
fn what_cannot_be_read_stays_is_reported_and_frees_nothing() {
    let (_folder, root) = first();
    let whole = fs::read_to_string(root.join("models").join(PLACE)).unwrap();
    let hostile = [
        String::new(),
        whole[..whole.len() / 2].into(),
        whole.replace("x.gguf\",", "../x.gguf\","),
        whole.replace(&sha256(), "../../etc/passwd"),
        whole.replace("\"pypi\"", "\"nowhere\""),
        whole.replace("\"schema\": 1", "\"schema\": 9"),
        whole.replace("\"schema\": 1", "\"schema\": 0"),
        " ".repeat(5 << 20),
    ];
    let broken = root.join("models/broken.json");
    for text in hostile {
        fs::write(&broken, &text).unwrap();
        let store = Store::open(&root).unwrap();
        assert_eq!(fs::read_to_string(&broken).unwrap(), text);
        let listing = store.list().unwrap();
        assert_eq!(listing.models.len(), 1);
        assert_eq!(listing.problems.iter().map(Coded::code).collect::<Vec<_>>(), ["corrupt_manifest"]);
        assert!(listing.problems[0].to_string().contains("broken.json"));
    }
    let store = Store::open(&root).unwrap();
    assert_eq!(store.remove("pypi:a==1:x.gguf").unwrap(), 0);
    assert!(fixture::blob_path(&store, b"weights").exists());
}

#[test]
fn one_that_cannot_be_read_can_be_removed_by_its_name() {
    let (_folder, root) = first();
    fs::write(root.join("models").join(PLACE), b"{").unwrap();
    let store = Store::open(&root).unwrap();
    assert_eq!(store.get("pypi:a==1:x.gguf").unwrap_err().code(), "model_not_found");
    assert_eq!(store.remove("pypi:a==1:x.gguf").unwrap(), 0);
    assert!(store.list().unwrap().problems.is_empty());
    assert_eq!(store.remove("pypi:a==1:x.gguf").unwrap_err().code(), "model_not_found");
}
