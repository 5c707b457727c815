//! Files shared by projects, used where they are and skipped where they are not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trillm_core::{Batch, Engine, LoadOptions, Model, Output, Pooling, Result, Session, SessionOptions, Slot, Token};
use trillm_llama::Llama;

/// A file of the shared data, if that is here.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRILLM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no shared data ({})", path.display());
    None
}

pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Arc<dyn Model>> {
    Llama.load(trillm_formats::open(path).expect("a sound model"), options)
}

pub(crate) const STORIES: &str = "models/stories260K/stories260K.gguf";

/// The 260 thousand parameter story model.
pub(crate) fn stories() -> Option<Arc<dyn Model>> {
    Some(load(&shared(STORIES)?, &LoadOptions::default()).expect("the model loads"))
}

/// A session over a small cache, on one thread: tests run side by side, and compute threads wait for each other by
/// spinning.
pub(crate) fn small() -> SessionOptions {
    SessionOptions { context: Some(512), parallel: 4, threads: Some(1), ..SessionOptions::default() }
}

pub(crate) fn embedding(pooling: Pooling) -> SessionOptions {
    SessionOptions { output: Output::Embedding(vec![pooling]), ..small() }
}

/// One span for each of `spans`: slot, start, tokens, wanted.
pub(crate) fn batch(spans: &[(u32, u32, &[Token], bool)]) -> Batch {
    let mut batch = Batch::default();
    for &(slot, start, tokens, wanted) in spans {
        batch.push(Slot(slot), start, tokens, wanted);
    }
    batch
}

/// Runs one span and copies its row.
pub(crate) fn run(session: &mut dyn Session, slot: u32, start: u32, tokens: &[Token]) -> Vec<f32> {
    session.step(&batch(&[(slot, start, tokens, true)])).expect("the step runs").row(0).to_vec()
}

pub(crate) fn best(row: &[f32]) -> Token {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("a row is not empty");
    Token(best.0 as u32)
}

pub(crate) fn encode(model: &dyn Model, text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    model.tokenizer().encode(text, true, false, &mut out).expect("the text tokenises");
    out
}

/// The largest difference between two rows.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
