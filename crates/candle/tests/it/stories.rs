//! A real model, small as it is, from both of its files.

use trillm_core::{Batch, LoadOptions, SessionOptions, Slot, Token};
use trillm_testkit::shared_data;

use crate::common::{best, load, run, small};

fn golden() -> Option<(std::path::PathBuf, Vec<Token>)> {
    let folder = shared_data()?.join("models/stories260K");
    let ids = std::fs::read_to_string(folder.join("golden.ids")).expect("golden ids");
    let ids = ids.split(|c: char| !c.is_ascii_digit()).filter(|id| !id.is_empty());
    Some((folder, ids.map(|id| Token(id.parse().expect("an id"))).collect()))
}

#[test]
fn it_says_what_it_always_said() {
    let Some((folder, golden)) = golden() else { return };
    for file in ["hf", "hf/model.safetensors", "hf/pytorch_model.bin"] {
        let model = load(&folder.join(file), &LoadOptions::default()).expect("the model loads");
        assert_eq!(model.info().weights, "mapped", "{file}");
        let mut session = model.session(&small()).expect("a session");
        let mut ids = golden[..1].to_vec();
        while ids.len() < golden.len() {
            let row = run(&mut *session, 0, ids.len() - 1, &ids[ids.len() - 1..]).expect("a step");
            ids.push(best(&row));
        }
        assert_eq!(ids, golden, "{file}");
    }
}

#[test]
fn eight_at_different_places_say_the_same() {
    let Some((folder, golden)) = golden() else { return };
    let model = load(&folder.join("hf"), &LoadOptions::default()).expect("the model loads");
    let room = SessionOptions { context: Some(2048), ..small() };
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
