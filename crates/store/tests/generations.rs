//! What a reference stood for: pulling again, going back, pinning, and forgetting.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{collections::HashSet, fs, path::PathBuf};

use fixture::{age, age_blob, assert_settled, blob_path, commit, days, model, names, put, store};
use trillm_core::Coded;
use trillm_store::{Collected, Digest, Error, Manifest, Store};

/// Puts so many generations of a model; each has a blob of its own, and one that all share.
fn put_many(store: &Store, reference: &str, count: u32) -> Vec<Manifest> {
    let content = |number: u32| format!("weights {number}");
    (1..=count)
        .map(|number| put(store, reference, &[("x", content(number).as_bytes()), ("config", b"shared")]))
        .collect()
}

fn id(manifest: &Manifest) -> String {
    manifest.model.id().to_string()
}

fn folder(store: &Store) -> PathBuf {
    let models = store.root().join("models");
    models.join(&names(&models)[0])
}

#[test]
fn what_is_put_is_in_use_and_what_was_stays() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 3);
    assert_eq!(all.iter().map(|manifest| manifest.generation).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.get("m").unwrap(), all[2]);
    let (history, in_use) = store.history("m").unwrap();
    assert_eq!(history, [all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(in_use, id(&all[2]));
    assert_eq!(store.list().unwrap().models, [all[2].clone()]);
    assert_eq!(store.history("n").unwrap_err().code(), "model_not_found");
    assert_settled(&store);
}

#[test]
fn putting_again_what_is_there_keeps_its_number_and_takes_what_is_said_now() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 2);
    let mut model = all[0].model.clone();
    model.licence = Some("Apache-2.0".into());
    let again = store.put(model.clone()).unwrap();
    assert_eq!((again.generation, again.created), (1, all[0].created));
    assert_eq!(again.model, model);
    assert_eq!(store.get("m").unwrap(), again);
    let (history, in_use) = store.history("m").unwrap();
    assert_eq!((history, in_use), (vec![all[1].clone(), again.clone()], id(&again)));
    assert_eq!(put(&store, "m", &[("x", b"new")]).generation, 3);
}

#[test]
fn going_back_is_one_step_or_any() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 4);
    assert_eq!(store.rollback("m", None).unwrap(), all[2]);
    assert_eq!(store.rollback("m", None).unwrap(), all[1]);
    assert_eq!(store.get("m").unwrap(), all[1]);
    assert_eq!(store.list().unwrap().models, [all[1].clone()]);
    assert_eq!(store.rollback("m", Some("4")).unwrap(), all[3]);
    assert_eq!(store.rollback("m", Some(&id(&all[0])[..8])).unwrap(), all[0]);
    assert_eq!(store.history("m").unwrap().0.len(), 4);

    let error = store.rollback("m", None).unwrap_err();
    assert_eq!((error.code(), &*error.to_string()), ("no_generation", "m has no generation before 1, which is in use"));
    assert_eq!(error.hint().unwrap(), "see them with: trillm history m");
    assert_eq!(store.rollback("m", Some("5")).unwrap_err().to_string(), "m has no generation 5");
    assert_eq!(store.rollback("n", None).unwrap_err().code(), "model_not_found");
    assert_eq!(store.get("m").unwrap(), all[0]);

    // The model is what it says, and so is its folder.
    let path = store.path_of(&all[0]).unwrap();
    assert_eq!(fs::read(path.join("x")).unwrap(), b"weights 1");
}

#[test]
fn a_digest_that_looks_like_a_number_is_a_digest() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"one")]);
    let digest = format!("{:064}", 1);
    assert_eq!(store.generation("m", &digest).unwrap_err().code(), "no_generation");
}

#[test]
fn a_damaged_generation_is_not_put_in_use() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 2);
    fs::remove_file(blob_path(&store, b"weights 1")).unwrap();
    assert_eq!(store.rollback("m", None).unwrap_err().code(), "model_damaged");
    assert_eq!(store.get("m").unwrap(), all[1]);
}

#[test]
fn a_generation_is_pinned_by_number_or_by_the_start_of_its_id() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 3);
    for manifest in &all {
        let id = id(manifest);
        let pinned = format!("sha256:{id}");
        let number = manifest.generation.to_string();
        for which in [&*id, &id[..4], &pinned, &pinned[..11], &id.to_uppercase(), &number] {
            assert_eq!(store.generation("m", which).unwrap(), *manifest, "{which}");
        }
    }
    for which in ["", "0", "4", "-1", "sha256:", "sha256:1", &id(&all[0])[..3], "../../x", "ffffffffffff", "é"] {
        assert_eq!(store.generation("m", which).unwrap_err().code(), "no_generation", "{which}");
    }
    assert_eq!(store.generation("n", "1").unwrap_err().code(), "model_not_found");
}

/// Many small generations, until two ids begin alike.
#[test]
fn what_may_mean_two_generations_names_both() {
    let (_folder, store) = store();
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0..)
        .find_map(|number: u32| {
            let content = number.to_string();
            let id = model("m", &[("x", content.as_bytes())]).id().to_string();
            // Letters only, so that it cannot be a number.
            let start = id[..4].to_owned();
            let letters = start.contains(|c: char| c.is_ascii_alphabetic());
            seen.insert(start, content.clone()).filter(|_| letters).map(|first| (first, content))
        })
        .unwrap();
    let first = put(&store, "m", &[("x", first.as_bytes())]);
    let second = put(&store, "m", &[("x", second.as_bytes())]);
    let error = store.generation("m", &id(&first)[..4]).unwrap_err();
    assert_eq!(error.code(), "no_generation");
    assert!(error.to_string().contains(&id(&first)) && error.to_string().contains(&id(&second)), "{error}");
    assert_eq!(store.generation("m", &id(&first)).unwrap(), first);
}

#[test]
fn a_history_without_a_mark_is_in_use_at_its_newest() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 3);
    let current = folder(&store).join("current");
    store.rollback("m", None).unwrap();
    fs::remove_file(&current).unwrap();
    assert_eq!(store.get("m").unwrap(), all[2]);
    assert_eq!(store.list().unwrap().models, [all[2].clone()]);

    // A mark that says nothing is not the same as none: nobody knows what was in use.
    fs::write(&current, b"").unwrap();
    assert_eq!(store.get("m").unwrap_err().code(), "corrupt_manifest");
    let listing = store.list().unwrap();
    assert!(listing.models.is_empty());
    assert!(matches!(&listing.problems[..], [Error::CorruptManifest { path, .. }] if *path == current));
    assert_eq!(store.rollback("m", Some("1")).unwrap(), all[0]);
    assert_eq!(store.get("m").unwrap(), all[0]);
}

#[test]
fn a_generation_that_cannot_be_read_hides_no_other() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 3);
    let damaged = folder(&store).join(format!("{}.json", id(&all[1])));
    fs::write(&damaged, b"{").unwrap();
    assert_eq!(store.get("m").unwrap(), all[2]);
    assert_eq!(store.list().unwrap().models.len(), 1);
    assert_eq!(store.list().unwrap().problems.len(), 1);
    assert_eq!(store.history("m").unwrap().0, [all[2].clone(), all[0].clone()]);
    assert_eq!(store.generation("m", "2").unwrap_err().code(), "corrupt_manifest");
    // Under another generation's name it is not that generation.
    fs::copy(folder(&store).join(format!("{}.json", id(&all[0]))), &damaged).unwrap();
    assert!(store.list().unwrap().problems[0].to_string().contains("not its name"));
    // It comes back with its files, as the newest.
    assert_eq!(store.put(all[1].model.clone()).unwrap().generation, 4);
    assert_eq!(store.list().unwrap().problems.len(), 0);
}

#[test]
fn removing_takes_all_generations() {
    let (_folder, store) = store();
    put_many(&store, "m", 3);
    assert_eq!(store.remove("m").unwrap(), 3 * 9 + 6);
    assert_eq!(store.get("m").unwrap_err().code(), "model_not_found");
    for folder in ["blobs/sha256", "records", "models", "snapshots"] {
        assert!(names(store.root().join(folder)).is_empty(), "{folder}");
    }
    assert_settled(&store);
}

#[test]
fn an_older_generation_of_another_model_keeps_a_shared_blob() {
    let (_folder, store) = store();
    put(&store, "a", &[("x", b"shared")]);
    put(&store, "a", &[("x", b"newer")]);
    put(&store, "b", &[("x", b"shared")]);
    assert_eq!(store.remove("b").unwrap(), 0);
    assert_eq!(store.rollback("a", None).unwrap().model.files[0].sha256, Digest::of(b"shared"));
}

#[test]
fn collecting_keeps_the_newest_and_the_one_in_use() {
    let (_folder, store) = store();
    let all = put_many(&store, "m", 5);
    let other = put(&store, "other", &[("x", b"weights 1")]);
    store.rollback("m", Some("2")).unwrap();
    assert_eq!(store.collect(None).unwrap(), Collected::default());

    let collected = store.collect(Some(1)).unwrap();
    let forgotten: HashSet<_> = [0, 2, 3].into_iter().map(|at: usize| ("m".to_owned(), id(&all[at]))).collect();
    assert_eq!(collected.generations.iter().cloned().collect::<HashSet<_>>(), forgotten);
    // The first one's blob is also the other model's.
    assert_eq!((collected.blobs, collected.freed, collected.leased), (2, 18, 0));
    assert_eq!(store.history("m").unwrap(), (vec![all[4].clone(), all[1].clone()], id(&all[1])));
    assert_eq!(store.get("m").unwrap(), all[1]);
    assert_eq!(store.generation("m", "5").unwrap(), all[4]);
    assert_eq!(store.get("other").unwrap(), other);

    assert_eq!(store.collect(Some(0)).unwrap().generations, [("m".into(), id(&all[4]))]);
    assert_eq!(store.get("m").unwrap(), all[1]);
    assert_eq!(store.get("other").unwrap(), other);
    assert_eq!(names(store.root().join("snapshots")).len(), 2);
    // Numbers go on.
    assert_eq!(put(&store, "m", &[("x", b"newest")]).generation, 3);
    assert_settled(&store);
}

#[test]
fn blobs_on_their_way_stay_a_day_and_downloads_a_week() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"wanted")]);
    commit(&store, b"new").unwrap();
    commit(&store, b"old").unwrap();
    commit(&store, b"imported").unwrap();
    for content in [&b"old"[..], b"wanted", b"imported"] {
        age_blob(&store, content, days(2));
    }
    for content in [&b"old"[..], b"gone"] {
        fs::write(record_path(&store, content), b"{}").unwrap();
        age(record_path(&store, content), days(2));
    }
    // The file is old, and came just now.
    fs::write(record_path(&store, b"imported"), b"{}").unwrap();

    let partials = store.root().join("partials");
    let me_dead = "00000001.00000001.00000001.1.1";
    for (key, owner, days_ago) in [("a", me_dead, 8), ("a", "another", 6), ("b", me_dead, 8)] {
        let download = partials.join(key).join(owner);
        fs::create_dir_all(&download).unwrap();
        fs::write(download.join("data"), vec![0; 10_000]).unwrap();
        age(download.join("data"), days(days_ago));
        age(&download, days(days_ago));
    }
    age(partials.join("b"), days(8));

    let collected = store.collect(None).unwrap();
    assert_eq!((collected.blobs, collected.partials), (1, 2));
    assert!(collected.freed >= 20_003, "{collected:?}");
    let blobs: HashSet<_> = names(store.root().join("blobs/sha256")).into_iter().collect();
    assert_eq!(blobs, [&b"wanted"[..], b"new", b"imported"].map(|content| Digest::of(content).to_string()).into());
    assert!(!record_path(&store, b"old").exists() && !record_path(&store, b"gone").exists());
    assert!(record_path(&store, b"imported").exists());
    assert_eq!(names(partials.join("a")), ["another"]);
    assert_eq!(store.get("m").unwrap().generation, 1);
    assert_settled(&store);
}

fn record_path(store: &Store, content: &[u8]) -> PathBuf {
    store.root().join("records").join(format!("{}.json", Digest::of(content)))
}

/// A blob that was imported as a reference is a link; what it leads to is someone else's.
#[cfg(unix)]
#[test]
fn what_a_linked_blob_leads_to_stays() {
    let (folder, store) = store();
    let theirs = folder.path().join("theirs.gguf");
    fs::write(&theirs, b"weights").unwrap();
    std::os::unix::fs::symlink(&theirs, blob_path(&store, b"weights")).unwrap();
    let manifest = store.put(model("m", &[("x", b"weights")])).unwrap();
    assert_eq!(fs::read(store.path_of(&manifest).unwrap()).unwrap(), b"weights");
    assert_eq!(store.remove("m").unwrap(), 0);
    assert!(names(store.root().join("blobs/sha256")).is_empty());
    assert_eq!(fs::read(&theirs).unwrap(), b"weights");
}
