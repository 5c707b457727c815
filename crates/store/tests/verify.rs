//! Damage is found where it is, and only that is fetched again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]

mod fixture;

use std::{fs, io::Write, path::Path};

use fixture::{blob_path, put, store};
use trillm_core::Coded;
use trillm_store::{CHUNK, Digest, Store};

const SIZE: usize = 5 * CHUNK as usize + 77;

fn content() -> Vec<u8> {
    (0..SIZE as u64).map(|at| (at.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8).collect()
}

/// A store with one model of one file.
fn model() -> (tempfile::TempDir, Store, Vec<u8>) {
    let (folder, store) = store();
    let content = content();
    put(&store, "m", &[("x", &content)]);
    (folder, store, content)
}

fn overwrite(path: &Path, content: &[u8]) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    fs::File::create(path).unwrap().write_all(content).unwrap();
}

#[test]
fn a_whole_store_has_no_damage() {
    let (_folder, store, _) = model();
    assert_eq!(store.verify("m").unwrap(), []);
    assert_eq!(store.verify("n").unwrap_err().code(), "model_not_found");
}

#[test]
fn flipped_bits_are_named_and_mended_with_their_chunks_alone() {
    let (_folder, store, content) = model();
    let path = blob_path(&store, &content);
    let mut damaged = content.clone();
    for at in [CHUNK as usize + 3, 2 * CHUNK as usize, SIZE - 1] {
        damaged[at] ^= 0x10;
    }
    overwrite(&path, &damaged);
    assert_eq!(store.get("m").unwrap_err().code(), "model_damaged");
    let [damage] = store.verify("m").unwrap().try_into().unwrap();
    let end = SIZE as u64;
    assert_eq!(damage.ranges, [CHUNK..3 * CHUNK, 5 * CHUNK..end]);
    assert_eq!(damage.file.as_str(), "x");

    let partial = store.repair(&damage).unwrap();
    assert_eq!(partial.missing(), damage.ranges);
    for range in partial.missing() {
        partial.writer(range.start).unwrap().write(&content[range.start as usize..range.end as usize]).unwrap();
    }
    assert_eq!(partial.commit().unwrap().sha256, Digest::of(&content));
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(store.verify("m").unwrap(), []);
    assert!(store.get("m").is_ok());
}

#[test]
fn a_repair_with_wrong_bytes_changes_nothing() {
    let (_folder, store, content) = model();
    let path = blob_path(&store, &content);
    let mut damaged = content.clone();
    damaged[0] ^= 1;
    overwrite(&path, &damaged);
    let [damage] = store.verify("m").unwrap().try_into().unwrap();
    let partial = store.repair(&damage).unwrap();
    partial.writer(0).unwrap().write(&damaged[..CHUNK as usize]).unwrap();
    assert_eq!(partial.commit().unwrap_err().code(), "digest_mismatch");
    assert_eq!(fs::read(&path).unwrap(), damaged);
}

#[test]
fn what_is_too_short_too_long_or_gone_is_mended_too() {
    let (_folder, store, content) = model();
    let path = blob_path(&store, &content);
    let end = SIZE as u64;
    let longer = [&content[..], b"more"].concat();
    for (found, missing) in [
        (Some(&content[..2 * CHUNK as usize + 9]), vec![2 * CHUNK..end]),
        (Some(&longer[..]), vec![]),
        (Some(&b""[..]), vec![0..end]),
        (None, vec![0..end]),
    ] {
        match found {
            Some(found) => overwrite(&path, found),
            None => fs::remove_file(&path).unwrap(),
        }
        let [damage] = store.verify("m").unwrap().try_into().unwrap();
        assert_eq!(damage.ranges, missing);
        let partial = store.repair(&damage).unwrap();
        assert_eq!(partial.missing(), missing);
        for range in missing {
            partial.writer(range.start).unwrap().write(&content[range.start as usize..range.end as usize]).unwrap();
        }
        partial.commit().unwrap();
        assert_eq!(store.verify("m").unwrap(), []);
    }
}

#[test]
fn without_its_record_a_blob_is_judged_as_a_whole() {
    let (_folder, store, content) = model();
    fs::remove_dir_all(store.root().join("records")).unwrap();
    fs::create_dir(store.root().join("records")).unwrap();
    assert_eq!(store.verify("m").unwrap(), []);
    let mut damaged = content.clone();
    damaged[SIZE / 2] ^= 1;
    overwrite(&blob_path(&store, &content), &damaged);
    let [damage] = store.verify("m").unwrap().try_into().unwrap();
    assert_eq!(damage.ranges, [0..SIZE as u64]);
    assert_eq!(store.repair(&damage).unwrap().missing(), [0..SIZE as u64]);
}
