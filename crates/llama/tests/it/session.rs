//! The session contract on a real, very small model.

use std::path::Path;

use crate::common::{STORIES, batch, best, distance, encode, load, run, shared, small, stories};
use trillm_core::{Batch, CacheType, Error, LoadOptions, Output, Pooling, SessionOptions, Slot, Token};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::Shape;

/// Batching changes the order of sums, not more.
const CLOSE: f32 = 2e-3;

#[test]
fn greedy_gives_the_golden_tokens() {
    let Some(model) = stories() else { return };
    let Some(golden) = shared("models/stories260K/golden.ids") else { return };
    let golden: Vec<Token> = std::fs::read_to_string(golden)
        .expect("golden ids")
        .split_whitespace()
        .map(|id| Token(id.parse().expect("a number")))
        .collect();
    let options = SessionOptions { cache_type: CacheType::F32, ..small() };
    let mut session = model.session(&options).expect("a session");
    let mut out = vec![golden[0]];
    while out.len() < golden.len() {
        let at = out.len() - 1;
        out.push(best(&run(&mut *session, 0, at as u32, &out[at..])));
    }
    assert_eq!(out, golden);
    assert_eq!(golden.len(), 200);
}

#[test]
fn the_facts_are_filled_in() {
    let Some(model) = stories() else { return };
    let info = model.info();
    assert_eq!((info.engine, info.device.as_str(), info.weights), ("llama", "cpu", "mapped"));
    assert_eq!(info.vocabulary, 512);
    let path = shared(STORIES).expect("it was here a moment ago");
    let read = load(&path, &LoadOptions { mmap: false, ..LoadOptions::default() }).expect("the model loads");
    assert_eq!(read.info().weights, "read");
    let limits = model.session(&small()).expect("a session").limits();
    assert_eq!((limits.slots, limits.context, limits.cells), (4, 512, 512));
    assert_eq!((limits.tokens_per_step, limits.row, limits.reuses_prefix), (512, 512, true));
}

#[test]
fn a_batch_is_as_one_by_one() {
    let Some(model) = stories() else { return };
    let texts = ["Once upon a time", "Lily went to the park with her", "The dog"].map(|text| encode(&*model, text));
    let mut one = model.session(&small()).expect("a session");
    let alone: Vec<_> = texts.iter().enumerate().map(|(slot, text)| run(&mut *one, slot as u32, 0, text)).collect();
    let mut all = model.session(&small()).expect("a session");
    let step = batch(&[(0, 0, &texts[0], true), (3, 0, &texts[1], true), (1, 0, &texts[2], true)]);
    let rows = all.step(&step).expect("the step runs");
    for (index, row) in alone.iter().enumerate() {
        assert!(distance(row, rows.row(index)) < CLOSE, "row {index}");
    }
    assert!(rows.row(3).is_empty(), "there is no fourth row");
    // Prompt and continuation in one step, the rows in the order asked.
    let (next, more) = ([best(&alone[0])], encode(&*model, "A cat"));
    let step = batch(&[(2, 0, &more, false), (0, texts[0].len() as u32, &next, true)]);
    let mixed = all.step(&step).expect("the step runs").row(0).to_vec();
    let single = run(&mut *one, 0, texts[0].len() as u32, &next);
    assert!(distance(&mixed, &single) < CLOSE);
}

#[test]
fn chunks_are_as_the_whole() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time there was a little girl who liked to play in the park");
    let mut session = model.session(&small()).expect("a session");
    let whole = run(&mut *session, 0, 0, &text);
    let (head, tail) = text.split_at(5);
    assert!(session.step(&batch(&[(1, 0, head, false)])).expect("the step runs").row(0).is_empty());
    let chunked = run(&mut *session, 1, 5, tail);
    assert!(distance(&whole, &chunked) < CLOSE);
}

#[test]
fn truncate_then_continue() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time there was a cat");
    let mut session = model.session(&small()).expect("a session");
    let first = run(&mut *session, 2, 0, &text);
    session.truncate(Slot(2), 3).expect("it cuts");
    assert!(distance(&first, &run(&mut *session, 2, 3, &text[3..])) < CLOSE);
    session.truncate(Slot(2), 0).expect("it clears");
    session.truncate(Slot(2), 0).expect("it clears again");
    session.truncate(Slot(2), 9).expect("longer than it is changes nothing");
    assert!(distance(&first, &run(&mut *session, 2, 0, &text)) < CLOSE);
    assert!(matches!(session.truncate(Slot(4), 0), Err(Error::Batch(_))));
}

#[test]
fn sharing_is_as_recomputing() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time there was a cat");
    let mut session = model.session(&small()).expect("a session");
    let first = run(&mut *session, 0, 0, &text);
    session.share(Slot(0), Slot(1), 4).expect("it shares");
    // The source may go: the copy holds its cells.
    session.truncate(Slot(0), 0).expect("it clears");
    assert!(distance(&first, &run(&mut *session, 1, 4, &text[4..])) < CLOSE);
    session.share(Slot(1), Slot(0), 2).expect("it shares back");
    assert!(distance(&first, &run(&mut *session, 0, 2, &text[2..])) < CLOSE);
    assert!(matches!(session.share(Slot(0), Slot(1), 1), Err(Error::Batch(_))), "the target is not empty");
    assert!(matches!(session.share(Slot(0), Slot(2), 99), Err(Error::Batch(_))), "longer than the source");
    assert!(matches!(session.share(Slot(0), Slot(0), 1), Err(Error::Batch(_))), "to itself");
    assert!(matches!(session.share(Slot(0), Slot(9), 1), Err(Error::Batch(_))), "no such slot");
}

#[test]
fn a_full_cache_changes_nothing() {
    let Some(model) = stories() else { return };
    let options = SessionOptions { context: Some(256), batch: 256, ..small() };
    let mut session = model.session(&options).expect("a session");
    let cells = session.limits().cells;
    assert_eq!(cells, 256);
    let filler = vec![Token(403); 200];
    session.step(&batch(&[(0, 0, &filler, false)])).expect("the step runs");
    let text = encode(&*model, "Once upon a time");
    let first = run(&mut *session, 1, 0, &text);
    let start = text.len() as u32;
    let before = run(&mut *session, 1, start, &[best(&first)]);
    session.truncate(Slot(1), start).expect("it cuts");
    for _ in 0..3 {
        let full = session.step(&batch(&[(2, 0, &filler[..100], true)]));
        assert_eq!(full.err(), Some(Error::CacheFull));
    }
    let after = run(&mut *session, 1, start, &[best(&first)]);
    assert!(distance(&before, &after) < CLOSE);
    session.truncate(Slot(0), 0).expect("it clears");
    session.step(&batch(&[(2, 0, &filler[..100], true)])).expect("there is room again");
}

#[test]
fn steps_outside_the_limits_are_errors() {
    let Some(model) = stories() else { return };
    let options = SessionOptions { batch: 8, ..small() };
    let mut session = model.session(&options).expect("a session");
    let some = [Token(403); 9];
    let mut wrong = vec![
        batch(&[(0, 0, &some, true)]),
        batch(&[(4, 0, &some[..1], true)]),
        batch(&[(0, 1, &some[..1], true)]),
        batch(&[(0, 0, &[Token(512)], true)]),
        batch(&[(0, 0, &[Token(u32::MAX)], true)]),
        batch(&[(0, 0, &some[..1], true), (0, 1, &some[..1], true)]),
        batch(&[(0, 0, &[], true)]),
    ];
    let mut overlapping = batch(&[(0, 0, &some[..8], true)]);
    overlapping.push(Slot(1), 0, &[], true);
    overlapping.spans[1].tokens = 0..8;
    wrong.push(overlapping);
    for step in &wrong {
        assert!(matches!(session.step(step).err(), Some(Error::Batch(_))), "{step:?}");
    }
    assert!(session.step(&Batch::default()).expect("an empty step is one").row(0).is_empty());
    let row = run(&mut *session, 0, 0, &some[..8]);
    assert_eq!(row.len(), 512);
}

#[test]
fn more_slots_than_tokens_in_a_step() {
    let Some(model) = stories() else { return };
    for (batch, parallel) in [(1, 8), (3, 256), (1, 256)] {
        let options = SessionOptions { batch, parallel, ..small() };
        let mut session = model.session(&options).expect("a session");
        assert_eq!(session.limits().tokens_per_step, batch);
        assert_eq!(run(&mut *session, parallel - 1, 0, &[Token(1)]).len(), 512);
    }
}

#[test]
fn every_slot_at_once() {
    let Some(model) = stories() else { return };
    let options = SessionOptions { parallel: 64, batch: 64, ..small() };
    let mut session = model.session(&options).expect("a session");
    let reference = run(&mut *session, 0, 0, &[Token(1)]);
    session.truncate(Slot(0), 0).expect("it clears");
    let mut step = Batch::default();
    for slot in 0..64 {
        step.push(Slot(slot), 0, &[Token(1)], true);
    }
    let rows = session.step(&step).expect("the step runs");
    for index in 0..64 {
        assert!(distance(&reference, rows.row(index)) < CLOSE, "row {index}");
    }
}

#[test]
fn options_outside_their_range_are_errors() {
    let Some(model) = stories() else { return };
    let name = |options: SessionOptions| match model.session(&options).err() {
        Some(Error::InvalidParameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(SessionOptions { parallel: 257, ..small() }), "parallel");
    assert_eq!(name(SessionOptions { parallel: 0, ..small() }), "parallel");
    assert_eq!(name(SessionOptions { context: Some(0), ..small() }), "context");
    assert_eq!(name(SessionOptions { context: Some(u32::MAX), ..small() }), "context");
    assert_eq!(name(SessionOptions { batch: 0, ..small() }), "batch");
    assert_eq!(name(SessionOptions { ubatch: 0, ..small() }), "ubatch");
    assert_eq!(name(SessionOptions { threads: Some(0), ..small() }), "threads");
    assert_eq!(name(SessionOptions { threads: Some(513), ..small() }), "threads");
}

#[test]
fn a_cache_in_blocks_wants_heads_of_whole_ones() {
    let Some(model) = stories() else { return };
    // Heads of eight numbers, blocks of thirty-two.
    let options = SessionOptions { cache_type: CacheType::Q8_0, ..small() };
    let Some(Error::Unsupported { what, by }) = model.session(&options).err() else { panic!("an error") };
    assert_eq!(by, "llama");
    assert!(what.contains("blocks of 32") && what.contains("heads of 8"), "{what}");
}

#[test]
fn sessions_on_threads_agree() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time");
    let rows: Vec<_> = std::thread::scope(|scope| {
        let start = || {
            scope.spawn(|| {
                let mut session = model.session(&small()).expect("a session");
                run(&mut *session, 0, 0, &text)
            })
        };
        let threads: Vec<_> = (0..4).map(|_| start()).collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread ends")).collect()
    });
    assert!(rows.iter().all(|row| distance(row, &rows[0]) < CLOSE));
}

#[test]
fn threads_change_the_time_only() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time");
    let row = |threads| {
        let mut session = model.session(&SessionOptions { threads, ..small() }).expect("a session");
        run(&mut *session, 0, 0, &text)
    };
    let one = row(Some(1));
    assert!(distance(&one, &row(Some(3))) < CLOSE);
    assert!(distance(&one, &row(None)) < CLOSE);
}

#[test]
fn the_context_is_what_was_trained_and_not_what_it_is_rounded_up_to() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("short.gguf");
    let shape = Shape { context: 100, ..TinyLlama::default().shape };
    TinyLlama { shape, ..TinyLlama::default() }.write_gguf(&path).expect("written");
    let model = load(&path, &LoadOptions::default()).expect("the model loads");
    for output in [Output::Scores, Output::Embedding(vec![Pooling::Mean])] {
        let options = SessionOptions { context: None, output, ..small() };
        let limits = model.session(&options).expect("a session").limits();
        assert_eq!((limits.context, limits.cells), (100, 256));
    }
    // Rotary positions go on: more may be asked for.
    let longer = model.session(&SessionOptions { context: Some(300), ..small() }).expect("a session").limits();
    assert_eq!((longer.context, longer.cells), (300, 512));
}
