//! One process at a time fetches a model.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;

use std::{fs, path::PathBuf, process, thread, time::Duration};

use fixture::{Other, Random, age, assert_settled, names, role, rounds, store, wait_for};
use trillm_store::{Claim, Store};

/// The only claim there is.
fn path(store: &Store) -> PathBuf {
    let folder = store.root().join("claims");
    let claims: Vec<_> = names(&folder).into_iter().filter(|name| !name.starts_with('~')).collect();
    assert_eq!(claims.len(), 1, "{claims:?}");
    folder.join(&claims[0])
}

fn wait(store: &Store) -> Claim {
    loop {
        if let Some(claim) = store.claim("m") {
            return claim;
        }
        thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn one_holds_a_claim_at_a_time() {
    let (_folder, store) = store();
    let claim = store.claim("m").unwrap();
    assert!(store.claim("m").is_none());
    assert!(store.claim("../m").is_some());
    assert!(store.claim(&"long/".repeat(1000)).is_some());
    claim.keep();
    assert!(store.claim("m").is_none());
    drop(claim);
    assert!(store.claim("m").is_some());
    assert_settled(&store);
}

#[test]
fn a_claim_that_cannot_be_made_is_granted() {
    let (_folder, store) = store();
    fs::remove_dir(store.root().join("claims")).unwrap();
    fs::write(store.root().join("claims"), b"in the way").unwrap();
    let claim = store.claim("m").unwrap();
    assert!(store.claim("m").is_some());
    claim.keep();
    drop(claim);
    fs::remove_file(store.root().join("claims")).unwrap();
    assert!(store.claim("m").is_some());
}

#[test]
fn a_claim_that_is_kept_is_not_taken_over_and_a_stale_one_once() {
    let (_folder, store) = store();
    let first = store.claim("m").unwrap();
    age(path(&store), Duration::from_secs(59));
    assert!(store.claim("m").is_none());
    age(path(&store), Duration::from_secs(62));
    first.keep();
    assert!(store.claim("m").is_none());

    age(path(&store), Duration::from_secs(62));
    let second = store.claim("m").unwrap();
    assert!(store.claim("m").is_none());
    // The first one has lost it, and does nothing to the second's.
    let kept = fs::read(path(&store)).unwrap();
    age(path(&store), Duration::from_secs(59));
    first.keep();
    assert!(path(&store).metadata().unwrap().modified().unwrap().elapsed().unwrap() > Duration::from_secs(50));
    drop(first);
    assert_eq!(fs::read(path(&store)).unwrap(), kept);
    assert!(store.claim("m").is_none());
    drop(second);
    assert_settled(&store);
}

#[test]
fn whose_owner_is_unknown_is_believed_for_a_minute() {
    let (_folder, store) = store();
    drop(store.claim("m").unwrap());
    let claim = store.claim("m").unwrap();
    let path = path(&store);
    for content in [&b""[..], b"\0\xff", b"nonsense", b"00000001.00000001.00000001.1.1 x\n", &vec![b'x'; 100_000]] {
        fs::write(&path, content).unwrap();
        assert!(store.claim("m").is_none());
        age(&path, Duration::from_secs(62));
        assert!(store.claim("m").is_some());
        assert!(!path.exists());
    }
    drop(claim);
    assert_settled(&store);
}

/// Each process adds a file while it holds the claim, and looks whether there is another's. Some are killed while they
/// hold it, and leave theirs: a holder's file counts for as long as the holder lives.
fn hold(store: &Store) {
    let held = store.root().join("held");
    let mine = held.join(process::id().to_string());
    fs::write(&mine, b"").unwrap();
    for other in names(&held) {
        let stat = fs::read_to_string(format!("/proc/{other}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
        let lives = state.is_some_and(|state| state != 'Z' && state != 'X') && held.join(&other).exists();
        assert!(other == process::id().to_string() || !lives, "{other} holds it too");
    }
    thread::sleep(Duration::from_micros(100));
    fs::remove_file(&mine).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn never_two_hold_a_claim_even_while_holders_are_killed() {
    if let Some((role, store)) = role() {
        let mut random = Random(u64::from(process::id()));
        for _ in 0..rounds(100) {
            let claim = wait(&store);
            if role == "dies" && random.below(30) == 0 {
                fs::write(store.root().join("held").join(process::id().to_string()), b"").unwrap();
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
            }
            hold(&store);
            claim.keep();
            drop(claim);
        }
        return;
    }
    let (_folder, store) = store();
    fs::create_dir(store.root().join("held")).unwrap();
    let start = |role| Other::start("never_two_hold_a_claim_even_while_holders_are_killed", role, store.root());
    let lives: Vec<_> = (0..8).map(|_| start("lives")).collect();
    let mut dies: Vec<_> = (0..4).map(|_| start("dies")).collect();
    let mut killed = 0;
    for mut other in lives {
        while other.0.try_wait().unwrap().is_none() {
            for mortal in &mut dies {
                if mortal.0.try_wait().unwrap().is_some_and(|status| !status.success()) {
                    killed += 1;
                    *mortal = start("dies");
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        other.wait();
    }
    assert!(killed > 0);
    drop(dies);
    drop(wait(&store));
    assert!(!names(store.root().join("claims")).iter().any(|name| !name.starts_with('~')));
}

#[cfg(unix)]
#[test]
fn a_killed_holders_claim_is_free_at_once_and_a_stopped_ones_in_time() {
    if let Some((role, store)) = role() {
        let claim = wait(&store);
        fs::write(store.root().join("ready"), b"").unwrap();
        if role == "stopped" {
            wait_for("the order to go on", || store.root().join("go on").exists());
            claim.keep();
            return drop(claim);
        }
        thread::sleep(Duration::from_secs(100));
        return;
    }
    let (_folder, store) = store();
    let start = |role| {
        let name = "a_killed_holders_claim_is_free_at_once_and_a_stopped_ones_in_time";
        let other = Other::start(name, role, store.root());
        wait_for("the claim", || store.root().join("ready").exists());
        fs::remove_file(store.root().join("ready")).unwrap();
        assert!(store.claim("m").is_none());
        other
    };
    let mut killed = start("killed");
    killed.0.kill().unwrap();
    // Nobody has waited for it: it is a zombie as soon as it is dead.
    wait_for("the claim", || store.claim("m").is_some());
    killed.0.wait().unwrap();

    let stopped = start("stopped");
    stopped.signal("STOP");
    assert!(store.claim("m").is_none());
    age(path(&store), Duration::from_secs(62));
    let claim = store.claim("m").unwrap();
    fs::write(store.root().join("go on"), b"").unwrap();
    stopped.signal("CONT");
    stopped.wait();
    assert!(store.claim("m").is_none(), "the stopped one freed what is not its own any more");
    drop(claim);
    assert_settled(&store);
}
