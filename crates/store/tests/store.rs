//! The store as a user sees it: what goes in comes out, and what is wrong never becomes visible.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{fs, time::Duration};

use fixture::{age, assert_settled, blob_path, commit, file, model, names, put, store};
use trillm_core::Coded;
use trillm_store::{Digest, Error, Expected, Pinned, Pypi, Reference, Store};

/// Replaces a blob behind the store's back.
fn tamper(store: &Store, content: &[u8], with: &[u8]) {
    let path = blob_path(store, content);
    fs::remove_file(&path).unwrap();
    fs::write(path, with).unwrap();
}

#[test]
fn a_model_comes_back_under_its_name() {
    let (_folder, store) = store();
    let manifest = put(&store, "pypi:a==1:x.gguf", &[("x.gguf", b"weights")]);
    assert_eq!(store.get("pypi:a==1:x.gguf").unwrap(), manifest);
    assert_eq!(manifest.model.size(), 7);

    let path = store.path_of(&manifest).unwrap();
    assert_eq!(path.file_name().unwrap(), "x.gguf");
    assert_eq!(fs::read(&path).unwrap(), b"weights");
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
    let package = Pypi { package: "a".into(), version: Some("1".into()), file: Some("x.gguf".into()) };
    let mut wanted = Pinned { reference: Reference::Pypi(package), generation: None };
    assert_eq!(store.locate(&wanted).unwrap(), path);
    wanted.generation = Some(manifest.model.id());
    assert_eq!(store.locate(&wanted).unwrap(), path);
    wanted.generation = Some(Digest::of(b"another"));
    assert_eq!(store.locate(&wanted).unwrap_err().code(), "no_generation");
    assert_eq!(store.verify("pypi:a==1:x.gguf").unwrap(), []);
    assert_settled(&store);
}

#[test]
fn a_model_of_several_files_is_a_folder_that_moves_with_the_store() {
    let (folder, store) = store();
    put(&store, "all", &[("model.safetensors", b"weights"), ("1_Pooling/config.json", b"{}")]);
    let moved = folder.path().join("moved");
    fs::rename(store.root(), &moved).unwrap();

    let store = Store::open(&moved).unwrap();
    let path = store.path_of(&store.get("all").unwrap()).unwrap();
    assert_eq!(fs::read(path.join("model.safetensors")).unwrap(), b"weights");
    assert_eq!(fs::read(path.join("1_Pooling/config.json")).unwrap(), b"{}");

    // Somebody tidied the links away: they are made again.
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(store.path_of(&store.get("all").unwrap()).unwrap(), path);
    assert_eq!(fs::read(path.join("1_Pooling/config.json")).unwrap(), b"{}");
}

#[test]
fn wrong_bytes_never_become_visible() {
    let (_folder, store) = store();
    let mut staging = store.stage("x.gguf".parse().unwrap()).unwrap();
    staging.write(b"wrong").unwrap();
    let error = staging.commit(Expected::sha256(Digest::of(b"right"))).unwrap_err();
    assert_eq!(error.code(), "digest_mismatch");
    assert_eq!(
        error.to_string(),
        format!(
            "checksum mismatch for x.gguf: expected sha256 {}, found {}",
            Digest::of(b"right"),
            Digest::of(b"wrong")
        )
    );
    assert!(names(store.root().join("blobs/sha256")).is_empty());
    assert!(names(store.staging()).is_empty());
}

#[test]
fn a_download_that_stops_halfway_leaves_nothing() {
    let (_folder, store) = store();
    let mut staging = store.stage("test".parse().unwrap()).unwrap();
    staging.write(b"half").unwrap();
    assert_eq!(names(store.staging()).len(), 1);
    drop(staging);
    assert!(names(store.staging()).is_empty());
    assert!(names(store.root().join("blobs/sha256")).is_empty());
}

#[test]
fn what_a_killed_process_left_is_swept_after_a_day() {
    let (_folder, store) = store();
    for name in ["old", "old-folder/part", "busy-folder/part", "new"] {
        let path = store.staging().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"part").unwrap();
    }
    age(store.staging().join("old"), Duration::from_hours(25));
    age(store.staging().join("old-folder/part"), Duration::from_hours(25));
    age(store.staging().join("old-folder"), Duration::from_hours(25));
    age(store.staging().join("busy-folder"), Duration::from_hours(25));

    Store::open(store.root()).unwrap();
    assert_eq!(names(store.staging()), ["busy-folder", "new"]);
}

#[test]
fn committing_the_same_content_again_keeps_the_blob_and_mends_a_short_one() {
    let (_folder, store) = store();
    let first = commit(&store, b"content").unwrap();
    assert_eq!(commit(&store, b"content").unwrap(), first);
    tamper(&store, b"content", b"con");
    commit(&store, b"content").unwrap();
    assert_eq!(fs::read(blob_path(&store, b"content")).unwrap(), b"content");
}

#[test]
fn a_damaged_model_is_not_handed_out() {
    let (_folder, store) = store();
    put(&store, "m", &[("x.gguf", b"weights")]);
    tamper(&store, b"weights", b"wEights");
    let damages = store.verify("m").unwrap();
    assert_eq!(damages.len(), 1);
    assert_eq!((damages[0].reference.as_str(), damages[0].file.as_str()), ("m", "x.gguf"));

    tamper(&store, b"weights", b"short");
    let error = store.get("m").unwrap_err();
    assert_eq!(error.to_string(), "\"m\" is damaged: x.gguf has 5 bytes, expected 7");
    assert_eq!(error.code(), "model_damaged");
    assert!(error.hint().unwrap().contains("trillm verify --repair m"));
    assert_eq!(store.generation("m", "1").unwrap_err().code(), "model_damaged");

    fs::remove_file(blob_path(&store, b"weights")).unwrap();
    assert_eq!(store.get("m").unwrap_err().to_string(), "\"m\" is damaged: x.gguf is missing");
}

#[test]
fn removing_keeps_what_others_share() {
    let (_folder, store) = store();
    put(&store, "a", &[("x", b"shared"), ("y", b"own")]);
    put(&store, "b", &[("x", b"shared")]);
    put(&store, "c", &[("x", b"shared")]);

    assert_eq!(store.remove("a").unwrap(), 3);
    assert_eq!(store.get("a").unwrap_err().code(), "model_not_found");
    assert_eq!(store.remove("b").unwrap(), 0);
    let path = store.path_of(&store.get("c").unwrap()).unwrap();
    assert_eq!(fs::read(path).unwrap(), b"shared");
    assert_eq!(store.remove("c").unwrap(), 6);
    assert_eq!(store.remove("c").unwrap_err().code(), "model_not_found");
    for folder in ["blobs/sha256", "records", "models", "snapshots", "staging", "taken"] {
        assert!(names(store.root().join(folder)).is_empty(), "{folder}");
    }
}

#[test]
fn a_manifest_that_cannot_be_read_hides_nothing_and_frees_nothing() {
    let (_folder, store) = store();
    put(&store, "a", &[("x", b"one")]);
    put(&store, "b", &[("x", b"two")]);
    let folder = store.root().join("models/broken");
    fs::create_dir(&folder).unwrap();
    let broken = folder.join("broken.json");
    let hostile = [
        "",
        "{",
        "[]",
        "\u{0}",
        r#"{"schema": 1, "generation": 1, "created": 0, "model": {}}"#,
        r#"{"schema": 3, "generation": 1, "created": 0, "model": {}}"#,
    ];
    for text in hostile {
        fs::write(&broken, text).unwrap();
        let listing = store.list().unwrap();
        assert_eq!(listing.models.iter().map(|manifest| &manifest.model.reference).collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches!(&listing.problems[..], [Error::CorruptManifest { path, .. }] if *path == broken));
    }
    // Another version may have written it, for the very blob that nobody else wants.
    assert_eq!(store.collect(Some(0)).unwrap_err().code(), "corrupt_manifest");
    assert_eq!(store.remove("a").unwrap(), 0);
    assert!(blob_path(&store, b"one").exists());
}

#[test]
fn a_manifest_cannot_name_what_is_outside() {
    let (_folder, store) = store();
    let manifest = put(&store, "m", &[("x.gguf", b"weights")]);
    let folder = store.root().join("models").join(&names(store.root().join("models"))[0]);
    let generation = folder.join(format!("{}.json", manifest.model.id()));
    let path = folder.join("current");
    let text = fs::read_to_string(&path).unwrap();
    let digest = Digest::of(b"weights").to_string();
    let hostile = [
        ("x.gguf", "../x.gguf"),
        ("x.gguf", "/etc/passwd"),
        ("x.gguf", "a\\\\b"),
        (digest.as_str(), "../../../etc/passwd"),
        ("\"m\"", "\"another\""),
    ];
    for (from, to) in hostile {
        fs::write(&path, text.replace(from, to)).unwrap();
        assert_eq!(store.get("m").unwrap_err().code(), "corrupt_manifest", "{to}");
        assert_eq!(store.list().unwrap().problems.len(), 1, "{to}");

        fs::rename(&path, &generation).unwrap();
        assert_eq!(store.get("m").unwrap_err().code(), "corrupt_manifest", "{to}");
        assert_eq!(store.generation("m", "1").unwrap_err().code(), "corrupt_manifest", "{to}");
        assert_eq!(store.list().unwrap().problems.len(), 1, "{to}");
        fs::write(&generation, &text).unwrap();
    }
    fs::write(&path, "{").unwrap();
    store.remove("m").unwrap();
    put(&store, "m", &[("x.gguf", b"weights")]);
    assert_eq!(store.get("m").unwrap().model, manifest.model);
}

#[test]
fn two_files_cannot_want_one_place() {
    let (_folder, store) = store();
    commit(&store, b"").unwrap();
    let put = |names: &[&str]| {
        let mut model = model("m", &[]);
        model.files = names.iter().map(|name| file(name, b"")).collect();
        store.put(model)
    };
    for names in [&[][..], &["a", "a"], &["a", "A"], &["a", "a/b"], &["a/b/c", "A/B"]] {
        assert_eq!(put(names).unwrap_err().code(), "invalid_model", "{names:?}");
    }
    put(&["a/b", "a/c", "ab"]).unwrap();
}

#[test]
fn a_manifest_needs_its_blobs() {
    let (_folder, store) = store();
    assert_eq!(store.put(model("m", &[("x", b"absent")])).unwrap_err().code(), "model_damaged");
    assert_eq!(store.get("m").unwrap_err().code(), "model_not_found");
    assert_eq!(store.remove("m").unwrap_err().code(), "model_not_found");
}

#[test]
fn references_that_differ_only_in_case_or_length_are_kept_apart() {
    let (_folder, store) = store();
    let long = format!("pypi:a:{}", "x".repeat(900));
    for (reference, content) in [("pypi:a:X", "1"), ("pypi:a:x", "2"), ("pypi:a/x", "3"), (long.as_str(), "4")] {
        put(&store, reference, &[("x", content.as_bytes())]);
    }
    assert_eq!(store.list().unwrap().models.len(), 4);
    assert_eq!(store.get("pypi:a:X").unwrap().model.files[0].sha256, Digest::of(b"1"));
}

#[test]
fn paths_are_located_without_the_store() {
    let (folder, store) = store();
    let path = folder.path().join("model.gguf");
    let wanted = Pinned { reference: Reference::Path(path.clone()), generation: None };
    assert_eq!(store.locate(&wanted).unwrap_err().code(), "model_not_found");
    fs::write(&path, b"").unwrap();
    assert_eq!(store.locate(&wanted).unwrap(), path);
}

#[test]
fn a_store_that_cannot_be_made_says_where() {
    let (folder, _store) = store();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&file).unwrap_err();
    assert!(error.to_string().contains("file/blobs"), "{error}");
}
