//! What others leave in a store or do to it: folders of dead processes, planted links, edited files, damaged records.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use fixture::{age, blob_path, days, orphan, put, store};
use trillm_core::Coded;
use trillm_store::{CHUNK, Digest, Expected, Link, Store};

fn record_path(store: &Store, content: &[u8]) -> PathBuf {
    store.root().join("records").join(format!("{}.json", Digest::of(content)))
}

fn overwrite(path: &Path, content: &[u8]) {
    let other = path.with_extension("other");
    fs::write(&other, content).unwrap();
    fs::rename(other, path).unwrap();
}

/// A download that a process left which is gone now.
fn left_behind(store: &Store) -> PathBuf {
    drop(store.partial("k", 10, Expected::default()).unwrap());
    orphan(store)
}

#[test]
fn a_store_that_is_opened_by_two_paths_is_one() {
    let (folder, store) = store();
    let link = folder.path().join("link");
    symlink(store.root(), &link).unwrap();
    let right = vec![1; CHUNK as usize];
    let one = store.partial("k", CHUNK, Expected::default()).unwrap();
    let mut writer = one.writer(0).unwrap();
    writer.write(&[9; 10]).unwrap();
    let two = Store::open(&link).unwrap().partial("k", CHUNK, Expected::default()).unwrap();
    two.writer(0).unwrap().write(&right).unwrap();
    two.commit().unwrap();
    writer.write(&[9; 100]).unwrap();
    assert_eq!(fs::read(blob_path(&store, &right)).unwrap(), right);
}

#[test]
fn a_download_that_cannot_be_gone_on_with_is_in_nobodys_way() {
    let (folder, store) = store();
    let data = left_behind(&store).join("data");
    fs::remove_file(&data).unwrap();
    fs::create_dir(&data).unwrap();
    assert!(store.partial("k", 10, Expected::default()).is_ok());

    let precious = folder.path().join("precious");
    fs::write(&precious, [7; 1000]).unwrap();
    let other = fixture::store();
    let data = left_behind(&other.1).join("data");
    fs::remove_file(&data).unwrap();
    symlink(&precious, &data).unwrap();
    other.1.partial("k", 10, Expected::default()).unwrap().writer(0).unwrap().write(&[1; 10]).unwrap();
    assert_eq!(fs::read(&precious).unwrap(), [7; 1000]);
}

#[test]
fn data_that_were_protected_when_their_process_died_are_gone_on_with() {
    let (_folder, store) = store();
    let data = left_behind(&store).join("data");
    let mut permissions = fs::metadata(&data).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&data, permissions).unwrap();
    let partial = store.partial("k", 10, Expected::default()).unwrap();
    partial.writer(0).unwrap().write(&[1; 10]).unwrap();
    partial.commit().unwrap();
}

#[test]
fn a_collection_follows_no_link() {
    let (folder, store) = store();
    let theirs = folder.path().join("home/docs");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("file"), b"x").unwrap();
    age(theirs.join("file"), days(30));
    age(&theirs, days(30));
    symlink(folder.path().join("home"), store.root().join("partials/planted")).unwrap();
    store.collect(None).unwrap();
    assert!(theirs.join("file").exists());
}

#[test]
fn without_a_record_nothing_is_believed() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"right")]);
    for record in [&b""[..], b"{}", b"null", b"[1"] {
        overwrite(&blob_path(&store, b"right"), b"wrong");
        fs::write(record_path(&store, b"right"), record).unwrap();
        assert_eq!(store.get("m").unwrap_err().code(), "model_damaged");
        // The same content, come again, mends it.
        put(&store, "n", &[("x", b"right")]);
        assert!(store.get("m").is_ok());
    }
}

#[test]
fn a_record_of_another_size_does_not_count() {
    let (_folder, store) = store();
    let content = vec![3; 2 * CHUNK as usize];
    put(&store, "m", &[("x", &content)]);
    let record = record_path(&store, &content);
    let text = fs::read_to_string(&record).unwrap();
    let (start, hashes) = text.split_once('[').unwrap();
    let (first, _) = hashes.split_once(',').unwrap();
    fs::write(&record, format!("{start}[{first}]}}")).unwrap();
    let mut damaged = content.clone();
    damaged[0] = 4;
    overwrite(&blob_path(&store, &content), &damaged);
    let [damage] = store.verify("m").unwrap().try_into().unwrap();
    assert_eq!((damage.ranges[0].start, damage.ranges[0].end), (0, 2 * CHUNK));
    assert_eq!(store.repair(&damage).unwrap().missing(), damage.ranges);
}

#[test]
fn a_record_of_damaged_bytes_is_in_no_repairs_way() {
    let (_folder, store) = store();
    let content = vec![3; 2 * CHUNK as usize];
    let mut damaged = content.clone();
    damaged[7] = 4;
    put(&store, "m", &[("x", &content)]);
    put(&store, "n", &[("x", &damaged)]);
    overwrite(&blob_path(&store, &content), &damaged);
    fs::copy(record_path(&store, &damaged), record_path(&store, &content)).unwrap();
    let [damage] = store.verify("m").unwrap().try_into().unwrap();
    let partial = store.repair(&damage).unwrap();
    partial.writer(0).unwrap().write(&content).unwrap();
    partial.commit().unwrap();
    assert_eq!(store.verify("m").unwrap(), []);
}

#[test]
fn a_pipe_in_the_place_of_a_blob_is_not_read() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"right")]);
    let blob = blob_path(&store, b"right");
    fs::remove_file(&blob).unwrap();
    symlink("/dev/zero", &blob).unwrap();
    assert_eq!(store.get("m").unwrap_err().code(), "model_damaged");
    assert_eq!(store.verify("m").unwrap().len(), 1);
}

#[test]
fn another_file_in_the_place_of_an_imported_one_is_noticed() {
    let (folder, store) = store();
    let theirs = folder.path().join("model.gguf");
    fs::write(&theirs, b"right").unwrap();
    let modified = fs::metadata(&theirs).unwrap().modified().unwrap();
    store.import(&theirs, Link::Reference, Expected::default()).unwrap();
    overwrite(&theirs, b"wrong");
    fs::File::open(&theirs).unwrap().set_times(fs::FileTimes::new().set_modified(modified)).unwrap();
    assert!(!store.has(Digest::of(b"right"), 5).unwrap());
}

#[test]
fn what_was_downloaded_is_no_link_to_someone_elses_file() {
    let (folder, store) = store();
    let theirs = folder.path().join("model.gguf");
    fs::write(&theirs, b"right").unwrap();
    store.import(&theirs, Link::Hardlink, Expected::default()).unwrap();
    put(&store, "m", &[("x", b"right")]);
    fs::write(&theirs, b"wrong").unwrap();
    assert!(store.get("m").is_ok());
    assert_eq!(store.verify("m").unwrap(), []);
}

#[test]
fn an_edited_snapshot_is_made_anew() {
    let (_folder, store) = store();
    let manifest = put(&store, "m", &[("x", b"right"), ("a/y", b"also")]);
    let folder = store.path_of(&manifest).unwrap();
    overwrite(&folder.join("x"), b"wrong");
    assert_eq!(fs::read(store.path_of(&manifest).unwrap().join("x")).unwrap(), b"right");
    fs::remove_file(folder.join("a/y")).unwrap();
    assert_eq!(fs::read(store.path_of(&manifest).unwrap().join("a/y")).unwrap(), b"also");
}

#[test]
fn no_file_is_larger_than_any_disk() {
    let (_folder, store) = store();
    assert_eq!(store.partial("k", u64::MAX, Expected::default()).unwrap_err().code(), "invalid_model");
}

#[test]
fn gits_name_is_checked_where_the_size_was_not_known_before() {
    let (_folder, store) = store();
    for (git, right) in
        [("ce013625030ba8dba906f756967f9e9ca394464a", true), ("ce013625030ba8dba906f756967f9e9ca394464b", false)]
    {
        let mut staging = store.stage("x".parse().unwrap()).unwrap();
        staging.write(b"hello\n").unwrap();
        assert_eq!(staging.commit(Expected { sha256: None, git: Some(git.parse().unwrap()) }).is_ok(), right);
    }
}
