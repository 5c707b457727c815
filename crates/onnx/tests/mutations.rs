//! Damaged graphs, all the way through the runtime: each is refused with a typed error or runs, and nothing dies.
//!
//! `TRILLM_MUTANTS` sets how many there are of each form; the default keeps the test short.

use std::path::Path;

use trillm_core::{Batch, Engine, LoadOptions, Result, Session, SessionOptions, Slot, Token};
use trillm_onnx::Onnx;
use trillm_testkit::TinyLlama;
use trillm_testkit::damage::Damage;
use trillm_testkit::models::OnnxForm;
use trillm_testkit::stories::{run, small};

/// What became of a damaged graph.
#[derive(Default, Debug)]
struct Tally {
    refused_by_reader: usize,
    refused_by_engine: usize,
    failed: usize,
    ran: usize,
}

impl Tally {
    fn try_one(&mut self, path: &Path) {
        let Ok(file) = trillm_formats::open(path) else {
            self.refused_by_reader += 1;
            return;
        };
        let options = SessionOptions { threads: Some(1), parallel: 2, context: Some(64), ..small() };
        let loaded = Onnx.load(file, &LoadOptions::default());
        let step = loaded.and_then(|model| {
            let mut session = model.session(&options)?;
            Ok(story(&mut *session))
        });
        match step {
            Err(_) => self.refused_by_engine += 1,
            Ok(Err(_)) => self.failed += 1,
            Ok(Ok(())) => self.ran += 1,
        }
    }
}

/// A prompt, what follows it, a second sequence from its prefix, and both together.
fn story(session: &mut dyn Session) -> Result<()> {
    run(session, 0, 0, &[Token(1), Token(40), Token(41)])?;
    run(session, 0, 3, &[Token(42)])?;
    session.share(Slot(0), Slot(1), 2)?;
    let mut batch = Batch::default();
    batch.push(Slot(0), 4, &[Token(43)], true);
    batch.push(Slot(1), 2, &[Token(44)], true);
    session.step(&batch)?;
    session.truncate(Slot(0), 2)?;
    run(session, 0, 2, &[Token(45), Token(46)]).map(|_| ())
}

fn survive(form: OnnxForm) {
    let mutants = std::env::var("TRILLM_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let folder = tempfile::tempdir().expect("a folder");
    TinyLlama::default().write_onnx(folder.path(), form).expect("the model is written");
    let path = folder.path().join("model.onnx");
    let bytes = std::fs::read(&path).expect("the graph");
    let mut damage = Damage(form as u64 + 1);
    let mut tally = Tally::default();
    for _ in 0..mutants {
        std::fs::write(&path, damage.of(&bytes)).expect("written");
        tally.try_one(&path);
    }
    assert!(tally.refused_by_reader > 0 && tally.ran > 0, "{tally:?}");
}

#[test]
fn damaged_graphs_with_a_growing_cache_kill_nothing() {
    survive(OnnxForm::Grown);
}

#[test]
fn damaged_graphs_with_a_shared_cache_kill_nothing() {
    survive(OnnxForm::Shared);
}

#[test]
fn damaged_graphs_with_branches_kill_nothing() {
    survive(OnnxForm::Merged);
}
