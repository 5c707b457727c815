//! What several tests use.

use std::path::Path;
use std::sync::Arc;

use trillm_candle::Candle;
use trillm_core::{Batch, CacheType, Engine, LoadOptions, Model, Result, Session, SessionOptions, Slot, Token};

/// Loads a folder or file as the facade does: what `inspect` found sound.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Arc<dyn Model>> {
    let info = trillm_formats::inspect(path).expect("a sound model");
    Candle.load(path, info, options)
}

/// A session over a small, exact cache.
pub(crate) fn small() -> SessionOptions {
    SessionOptions {
        context: Some(512),
        parallel: 8,
        threads: Some(2),
        cache_type: CacheType::F32,
        ..SessionOptions::default()
    }
}

/// Runs one span and copies its row.
pub(crate) fn run(session: &mut dyn Session, slot: u32, start: usize, tokens: &[Token]) -> Result<Vec<f32>> {
    let mut batch = Batch::default();
    batch.push(Slot(slot), start as u32, tokens, true);
    session.step(&batch).map(|rows| rows.row(0).to_vec())
}

pub(crate) fn best(row: &[f32]) -> Token {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("a row is not empty");
    Token(best.0 as u32)
}
