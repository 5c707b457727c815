//! What a process uses stays, for as long as it lives.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{fs, thread, time::Duration};

use fixture::{Other, age, age_blob, assert_settled, blob_path, days, names, put, role, store, wait_for};
use trillm_store::{Digest, Error, Lease, Store};

fn lease(store: &Store, content: &[u8]) -> Lease {
    store.lease(&[Digest::of(content)]).unwrap()
}

#[test]
fn what_is_leased_stays_until_it_is_let_go() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"first"), ("y", b"both")]);
    let first = put(&store, "m", &[("x", b"second"), ("y", b"both")]);
    let leases = [lease(&store, b"first"), lease(&store, b"both")];

    let collected = store.collect(Some(1)).unwrap();
    assert_eq!((collected.generations.len(), collected.blobs, collected.leased), (1, 0, 5));
    assert!(blob_path(&store, b"first").exists());
    // With its links, for engines open files late.
    assert_eq!(names(store.root().join("snapshots")).len(), 2);

    assert_eq!(store.remove("m").unwrap(), 6);
    assert!(blob_path(&store, b"both").exists());
    assert!(store.path_of(&first).is_ok());
    age_blob(&store, b"first", days(2));
    assert_eq!(store.collect(None).unwrap().leased, 9);
    drop(leases);
    let collected = store.collect(None).unwrap();
    assert_eq!((collected.freed, collected.leased), (5, 0));
    assert!(blob_path(&store, b"both").exists(), "it came less than a day ago");
    assert_settled(&store);
}

#[test]
fn two_leases_of_one_blob_are_two() {
    let (_folder, store) = store();
    let first = lease(&store, b"x");
    let second = lease(&store, b"x");
    assert_eq!(names(store.root().join("leases")).len(), 2);
    drop(first);
    put(&store, "m", &[("f", b"x")]);
    assert_eq!(store.remove("m").unwrap(), 0);
    drop(second);
    assert_settled(&store);
}

#[test]
fn a_lease_holds_against_other_processes_until_its_own_is_killed() {
    if let Some((_, store)) = role() {
        let _lease = lease(&store, b"weights");
        fs::write(store.root().join("ready"), b"").unwrap();
        thread::sleep(Duration::from_secs(100));
        return;
    }
    let (_folder, store) = store();
    let start = || Other::start("a_lease_holds_against_other_processes_until_its_own_is_killed", "lease", store.root());
    for killed_by in ["TERM", "KILL"] {
        put(&store, "m", &[("x", b"weights")]);
        let mut other = start();
        wait_for("the lease", || store.root().join("ready").exists());
        fs::remove_file(store.root().join("ready")).unwrap();
        assert_eq!(store.remove("m").unwrap(), 0);
        age_blob(&store, b"weights", days(2));
        let collected = store.collect(Some(0)).unwrap();
        assert_eq!((collected.freed, collected.leased), (0, 7));
        assert!(blob_path(&store, b"weights").exists());

        other.signal(killed_by);
        // A zombie leases nothing: nobody has waited for it yet.
        wait_for("the collection", || store.collect(None).unwrap().freed == 7);
        assert!(!blob_path(&store, b"weights").exists());
        assert!(names(store.root().join("leases")).is_empty());
        assert!(!other.0.wait().unwrap().success());
    }
}

/// Whose process cannot be asked for is believed, but not for ever.
#[test]
fn a_lease_of_another_machine_holds_a_month() {
    let (_folder, store) = store();
    let path = store.root().join("leases/00000001.00000001.00000001.1.1-1-1-1.json");
    fs::write(&path, format!("[\"{}\"]", Digest::of(b"x"))).unwrap();
    put(&store, "m", &[("f", b"x")]);
    assert_eq!(store.remove("m").unwrap(), 0);
    put(&store, "m", &[("f", b"x")]);
    age(&path, days(31));
    assert_eq!(store.remove("m").unwrap(), 1);
    assert!(!path.exists());
}

#[test]
fn a_lease_that_cannot_be_read_may_be_of_anything() {
    let (_folder, store) = store();
    put(&store, "m", &[("f", b"x")]);
    let path = store.root().join("leases/00000001.00000001.00000001.1.1-1-1-1.json");
    fs::write(&path, b"[").unwrap();
    assert_eq!(store.remove("m").unwrap(), 0);
    assert!(blob_path(&store, b"x").exists());
}

/// One process leases a blob and looks whether it is there, while others remove the models that have it: it is there
/// from then on, or the look says that it is not.
#[test]
fn what_was_there_after_leasing_stays_there() {
    if role().is_some_and(|(_, store)| {
        (0..fixture::rounds(100)).for_each(|_| {
            fixture::pull(&store, "m", &[("f", b"x")]).ok();
            store.remove("m").ok();
        });
        true
    }) {
        return;
    }
    let (_folder, store) = store();
    let start = |_| Other::start("what_was_there_after_leasing_stays_there", "remove", store.root());
    let mut others: Vec<_> = (0..2).map(start).collect();
    let mut seen = 0;
    while others.iter_mut().any(|other| other.0.try_wait().unwrap().is_none()) {
        let lease = lease(&store, b"x");
        if blob_path(&store, b"x").exists() {
            seen += 1;
            // Away for a moment while a removal looks at it.
            let there = (0..20).any(|_| {
                thread::sleep(Duration::from_millis(1));
                blob_path(&store, b"x").exists()
            });
            assert!(there);
        }
        drop(lease);
    }
    assert!(seen > 0);
    others.into_iter().for_each(Other::wait);
}

#[test]
fn what_is_held_is_the_generation_in_use_and_stays() {
    let (_folder, store) = store();
    assert!(store.hold("m", None).unwrap().is_none());
    let first = put(&store, "m", &[("x", b"first")]);
    put(&store, "m", &[("x", b"second")]);

    let held = store.hold("m", None).unwrap().unwrap();
    assert_eq!(fs::read(&held.path).unwrap(), b"second");
    let older = store.hold("m", Some(&first.model.id().to_string())).unwrap().unwrap();
    assert_eq!((older.manifest.generation, fs::read(&older.path).unwrap().as_slice()), (1, &b"first"[..]));
    assert!(store.hold("m", Some("3")).unwrap().is_none());

    assert_eq!(store.remove("m").unwrap(), 0);
    assert!(held.lease.is_some() && held.path.exists() && older.path.exists());
    age_blob(&store, b"first", days(2));
    drop(older);
    assert_eq!(store.collect(None).unwrap().freed, 5);
    assert!(held.path.exists());
}

#[test]
fn what_is_damaged_is_not_held() {
    let (_folder, store) = store();
    put(&store, "m", &[("x", b"weights")]);
    fs::remove_file(blob_path(&store, b"weights")).unwrap();
    assert!(matches!(store.hold("m", None), Err(Error::Damaged { .. })));
}
