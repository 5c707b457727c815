//! Downloads in pieces, by several writers, over several attempts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]

mod fixture;

use std::{
    fs,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    thread,
};

use fixture::{attempts, orphan, store};
use proptest::prelude::*;
use trillm_core::Coded;
use trillm_store::{CHUNK, Digest, Expected, Partial, SpanWriter, Store};

const SIZE: u64 = 3 * CHUNK + 1000;

/// Four chunks, the last one short.
fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| (0..SIZE).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect())
}

fn expected() -> Expected {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    Expected::sha256(*DIGEST.get_or_init(|| Digest::of(content())))
}

fn open(store: &Store) -> Partial {
    store.partial("key", SIZE, expected()).unwrap()
}

fn write(writer: &mut SpanWriter, to: u64) {
    let from = writer.position();
    writer.write(&content()[from as usize..to as usize]).unwrap();
}

fn fill(partial: &Partial) {
    for range in partial.missing() {
        write(&mut partial.writer(range.start).unwrap(), range.end);
    }
}

fn blobs(store: &Store) -> usize {
    fs::read_dir(store.root().join("blobs/sha256")).unwrap().count()
}

#[test]
fn writers_side_by_side_make_one_blob() {
    let (_folder, store) = store();
    let partial = open(&store);
    assert_eq!(partial.missing(), [0..SIZE]);
    thread::scope(|scope| {
        for start in [2 * CHUNK, 0] {
            let partial = &partial;
            scope.spawn(move || write(&mut partial.writer(start).unwrap(), (start + 2 * CHUNK).min(SIZE)));
        }
    });
    assert_eq!(partial.missing(), Vec::<Range<u64>>::new());
    let blob = partial.commit().unwrap();
    assert_eq!((Some(blob.sha256), blob.size), (expected().sha256, SIZE));
    assert_eq!(fs::read(store.root().join("blobs/sha256").join(blob.sha256.to_string())).unwrap(), content());
    assert_eq!(attempts(&store), Vec::<PathBuf>::new());
}

#[test]
fn an_empty_file_is_a_file() {
    let (_folder, store) = store();
    let partial = store.partial("empty", 0, Expected::sha256(Digest::of(b""))).unwrap();
    assert_eq!(partial.missing(), Vec::<Range<u64>>::new());
    assert_eq!(partial.commit().unwrap().size, 0);
}

#[test]
fn only_whole_chunks_count_for_the_next_attempt() {
    let (_folder, store) = store();
    {
        let partial = open(&store);
        write(&mut partial.writer(CHUNK).unwrap(), 2 * CHUNK + 5);
        write(&mut partial.writer(0).unwrap(), CHUNK - 1);
        assert_eq!(partial.commit().unwrap_err().code(), "incomplete_download");
    }
    let partial = open(&store);
    assert_eq!(partial.missing(), [0..CHUNK, 2 * CHUNK..SIZE]);
    assert_eq!(attempts(&store).len(), 1);
    fill(&partial);
    assert_eq!(Some(partial.commit().unwrap().sha256), expected().sha256);
}

#[test]
fn a_chunk_that_was_given_up_may_come_out_differently() {
    let (_folder, store) = store();
    let partial = open(&store);
    let mut writer = partial.writer(0).unwrap();
    writer.write(&vec![b'x'; 2_000_000]).unwrap();
    drop(writer);
    fill(&partial);
    // The sum began with the bytes that were given up.
    assert_eq!(Some(partial.commit().unwrap().sha256), expected().sha256);
}

#[test]
fn what_is_there_or_being_written_is_not_written_twice() {
    let (_folder, store) = store();
    let partial = open(&store);
    let mut writer = partial.writer(0).unwrap();
    write(&mut writer, 10);
    let refused = |at: u64| partial.writer(at).unwrap().write(b"x").unwrap_err().code();
    assert_eq!(refused(0), "incomplete_download");
    write(&mut writer, CHUNK);
    assert_eq!(refused(0), "incomplete_download");
    for at in [1, CHUNK - 1, SIZE, u64::MAX] {
        assert_eq!(partial.writer(at).unwrap_err().code(), "incomplete_download", "{at}");
    }
    let mut last = partial.writer(3 * CHUNK).unwrap();
    write(&mut last, SIZE);
    assert_eq!(last.write(b"x").unwrap_err().code(), "incomplete_download");
    assert_eq!(partial.missing(), [CHUNK..3 * CHUNK]);
}

#[test]
fn wrong_bytes_leave_nothing() {
    let (_folder, store) = store();
    let partial = open(&store);
    let mut wrong = content().to_vec();
    wrong[12_345] ^= 1;
    partial.writer(0).unwrap().write(&wrong).unwrap();
    assert_eq!(partial.commit().unwrap_err().code(), "digest_mismatch");
    assert_eq!((blobs(&store), attempts(&store).len()), (0, 0));
    drop(partial);
    assert_eq!(open(&store).missing(), [0..SIZE]);
}

#[test]
fn gits_name_is_checked_too() {
    let (_folder, store) = store();
    // `printf 'hello\n' | git hash-object --stdin`
    for (git, right) in
        [("ce013625030ba8dba906f756967f9e9ca394464a", true), ("ce013625030ba8dba906f756967f9e9ca394464b", false)]
    {
        let expected = Expected { sha256: None, git: Some(git.parse().unwrap()) };
        let partial = store.partial("git", 6, expected).unwrap();
        partial.writer(0).unwrap().write(b"hello\n").unwrap();
        assert_eq!(partial.commit().is_ok(), right);
    }
}

#[test]
fn a_download_of_a_dead_process_is_gone_on_with() {
    let (_folder, store) = store();
    write(&mut open(&store).writer(0).unwrap(), 2 * CHUNK);
    let orphan = orphan(&store);
    assert_eq!(open(&store).missing(), [2 * CHUNK..SIZE]);
    assert!(!orphan.exists());
}

#[test]
fn a_download_of_a_living_process_is_left_alone() {
    let (_folder, store) = store();
    write(&mut open(&store).writer(0).unwrap(), 2 * CHUNK);
    let [attempt] = attempts(&store).try_into().unwrap();
    // Another machine's: nobody here knows whether it lives.
    let name = attempt.file_name().unwrap().to_str().unwrap();
    let other = attempt.with_file_name(format!("00000001.00000002{}", &name[17..]));
    fs::rename(&attempt, &other).unwrap();
    assert_eq!(open(&store).missing(), [0..SIZE]);
    assert!(other.exists());
}

#[test]
fn one_process_may_fetch_the_same_twice_at_once() {
    let (_folder, store) = store();
    let (one, two) = (open(&store), open(&store));
    assert_eq!(attempts(&store).len(), 2);
    fill(&one);
    fill(&two);
    assert_eq!(one.commit().unwrap(), two.commit().unwrap());
    assert_eq!((blobs(&store), attempts(&store).len()), (1, 0));
}

#[test]
fn a_power_cut_may_lose_what_the_journal_has() {
    let (_folder, store) = store();
    fill(&open(&store));
    let data = attempts(&store)[0].join("data");
    let mut bytes = fs::read(&data).unwrap();
    bytes[CHUNK as usize + 7] ^= 0x40;
    fs::write(&data, &bytes[..2 * CHUNK as usize + 9]).unwrap();
    let partial = open(&store);
    assert_eq!(partial.missing(), [CHUNK..SIZE]);
    fill(&partial);
    assert_eq!(Some(partial.commit().unwrap().sha256), expected().sha256);
}

#[test]
fn a_damaged_journal_costs_bytes_and_no_truth() {
    let (_folder, store) = store();
    write(&mut open(&store).writer(0).unwrap(), 2 * CHUNK);
    let journal = attempts(&store)[0].join("journal");
    let text = fs::read(&journal).unwrap();
    let broken = |text: &[u8]| {
        fs::write(&journal, text).unwrap();
        let missing = open(&store).missing();
        missing.first().map(|range| range.start)
    };
    assert_eq!(broken(&text), Some(2 * CHUNK));
    // Each attempt writes it anew under its own name, so it is looked for again.
    let at = |store: &Store| attempts(store)[0].join("journal");
    fs::write(at(&store), &text[..text.len() - 3]).unwrap();
    assert_eq!(open(&store).missing(), [CHUNK..SIZE]);
    for nonsense in [&b""[..], b"{}\n0 00\n", b"\xff\xfe\n\n\n", &text[10..]] {
        fs::write(at(&store), nonsense).unwrap();
        assert_eq!(open(&store).missing(), [0..SIZE]);
    }
    fs::write(at(&store), [&text[..], b"99999999999 1\n-1 zz\n"].concat()).unwrap();
    assert_eq!(open(&store).missing().last(), Some(&(2 * CHUNK..SIZE)));
    fs::remove_file(at(&store)).unwrap();
    assert_eq!(open(&store).missing(), [0..SIZE]);
}

/// What a writer does next.
#[derive(Clone, Debug)]
enum Step {
    /// One writer goes on by so many bytes.
    Write(usize, usize),
    /// It is cut off, perhaps in the middle of a chunk.
    Cut(usize),
    /// The process ends, and another one begins.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_usize, 1..3_000_000_usize).prop_map(|(writer, bytes)| Step::Write(writer, bytes)),
        2 => (0..3_usize).prop_map(Step::Cut),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order in which writers come and go, what is missing is exactly what did not arrive, and what comes
    /// out is the file.
    #[test]
    fn any_order_of_writers_makes_the_file(steps in proptest::collection::vec(step(), 0..40)) {
        let (_folder, store) = store();
        let mut partial = open(&store);
        let mut writers: [Option<SpanWriter>; 3] = [None, None, None];
        let arrived = Mutex::new([false; 4]);
        for step in steps {
            match step {
                Step::Cut(which) => writers[which] = None,
                Step::Restart => {
                    writers = [None, None, None];
                    drop(partial);
                    partial = open(&store);
                }
                Step::Write(which, bytes) => {
                    let busy: Vec<_> = writers.iter().flatten().map(|writer| writer.position() / CHUNK).collect();
                    let free = |start: &u64| !busy.contains(&(start / CHUNK));
                    if writers[which].is_none() {
                        let starts = partial.missing().into_iter().flat_map(|range| range.step_by(CHUNK as usize));
                        writers[which] = starts.into_iter().find(free).map(|start| partial.writer(start).unwrap());
                    }
                    let Some(writer) = &mut writers[which] else { continue };
                    let from = writer.position();
                    let end = (from / CHUNK + 1) * CHUNK;
                    let to = (from + bytes as u64).min(end).min(SIZE);
                    write(writer, to);
                    if to == end.min(SIZE) {
                        arrived.lock().unwrap()[(from / CHUNK) as usize] = true;
                        writers[which] = None;
                    }
                }
            }
            let arrived = arrived.lock().unwrap();
            let missing: Vec<_> = partial.missing().into_iter().flat_map(|range| range.step_by(CHUNK as usize)).collect();
            let expected: Vec<_> = (0..4).filter(|chunk| !arrived[*chunk as usize]).map(|chunk| chunk * CHUNK).collect();
            prop_assert_eq!(missing, expected);
        }
        drop(writers);
        fill(&partial);
        prop_assert_eq!(Some(partial.commit().unwrap().sha256), expected().sha256);
    }
}
