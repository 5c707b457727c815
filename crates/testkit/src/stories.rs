//! A real model, small as it is: 260 thousand parameters, and what it always says.

use std::path::PathBuf;

use trillm_core::{Batch, CacheType, Model, Result, Session, SessionOptions, Slot, Token};

pub use crate::conformance::best;
use crate::shared_data;

/// The folder with the model in all its forms, and the 200 tokens that it says after the first when it always takes the
/// best; `None` without the shared data.
pub fn stories() -> Option<(PathBuf, Vec<Token>)> {
    let folder = shared_data()?.join("models/stories260K");
    let ids = std::fs::read_to_string(folder.join("golden.ids")).expect("golden ids");
    let ids = ids.split(|c: char| !c.is_ascii_digit()).filter(|id| !id.is_empty());
    Some((folder, ids.map(|id| Token(id.parse().expect("an id"))).collect()))
}

/// A session over a small, exact cache.
pub fn small() -> SessionOptions {
    SessionOptions {
        context: Some(512),
        parallel: 8,
        threads: Some(2),
        cache_type: CacheType::F32,
        ..SessionOptions::default()
    }
}

/// Runs one span and copies its row.
pub fn run(session: &mut dyn Session, slot: u32, start: usize, tokens: &[Token]) -> Result<Vec<f32>> {
    let mut batch = Batch::default();
    batch.push(Slot(slot), start as u32, tokens, true);
    session.step(&batch).map(|rows| rows.row(0).to_vec())
}

/// One sequence, token by token, says the golden ids.
pub fn says_what_it_always_said(model: &dyn Model, golden: &[Token]) {
    let mut session = model.session(&small()).expect("a session");
    let mut ids = golden[..1].to_vec();
    while ids.len() < golden.len() {
        let row = run(&mut *session, 0, ids.len() - 1, &ids[ids.len() - 1..]).expect("a step");
        ids.push(best(&row));
    }
    assert_eq!(ids, golden);
}

/// Eight sequences, each further along than the one before, say the golden ids in the same steps. `context` must hold
/// them all.
pub fn eight_at_different_places_say_the_same(model: &dyn Model, golden: &[Token], context: u32) {
    let room = SessionOptions { context: Some(context), ..small() };
    let mut session = model.session(&room).expect("a session");
    let mut lengths: Vec<usize> = (0..8).map(|slot| 1 + 9 * slot).collect();
    let mut batch = Batch::default();
    for (slot, &length) in (0..).map(Slot).zip(&lengths) {
        batch.push(slot, 0, &golden[..length], true);
    }
    for _ in 0..100 {
        let rows = session.step(&batch).expect("a step");
        let said: Vec<_> = (0..8).map(|index| best(rows.row(index))).collect();
        batch.clear();
        for (slot, length) in lengths.iter_mut().enumerate() {
            assert_eq!(said[slot], golden[*length], "slot {slot} after {length} tokens");
            batch.push(Slot(slot as u32), *length as u32, &said[slot..=slot], true);
            *length += 1;
        }
    }
}
