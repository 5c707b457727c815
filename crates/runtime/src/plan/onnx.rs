//! What ONNX Runtime does with a graph on the processor.
//!
//! Measured with 1.32 on graphs of both kinds of cache: `benches/memory.py`. It copies every weight that it is given as
//! memory, with and without prepacking. A matrix is prepacked into a second copy before the first is given back, one
//! after the other, so the largest counts once while loading.

use trillm_core::{ModelInfo, Purpose};

use super::need::{Need, Widths, bytes, tokenizer};
use super::options::Options;

/// Tables of the library, its registered operators, the graph and its plan of execution: measured.
const RUNTIME: u64 = 12 << 20;

/// Pages of the library's code, and of ours, measured.
const CODE: u64 = 25 << 20;

pub(super) fn need(info: &ModelInfo, options: Options<'_>) -> Need {
    let (load, session, shape) = (options.load, options.session, &info.shape);
    let context = u64::from(session.context_for(info.context_trained));
    let generates = info.purpose == Purpose::Text;
    let (kept, reading) = tokenizer(shape);
    let cells = if generates { context * u64::from(session.parallel) } else { 0 };
    // A cache that grows is there twice in a run, before and after it; and a third time where sequences are put
    // together that were computed apart (`grown.rs` of the engine).
    let copies = match (shape.grows, session.parallel) {
        (false, _) => 1,
        (true, 1) => 2,
        (true, _) => 3,
    };
    let cache = shape.cache_bytes(cells, session.parallel, session.cache_type);
    let largest = shape.products.iter().map(|it| bytes(u128::from(it.rows) * u128::from(it.columns) * width(&it.kind)));
    let files = if load.mmap { (info.bytes, 0) } else { (0, info.bytes) };
    Need {
        weights_mapped: files.0,
        weights_private: info.bytes + shape.unaligned + files.1,
        cache: cache.map(|cache| cache.saturating_mul(copies)),
        compute: if generates { compute(info, options, context) } else { None },
        scores: if generates { scores(info, options, context) } else { 0 },
        tokenizer: kept,
        runtime: RUNTIME,
        runtime_mapped: CODE,
        loading: reading.max(if load.graph.prepack { largest.max().unwrap_or(0) } else { 0 }),
        notes: Vec::new(),
    }
    .say_unknown()
}

/// Bytes of a number of a matrix that is prepacked; blocks of fewer bits are rearranged in place.
fn width(kind: &str) -> u128 {
    match kind {
        "F32" => 4,
        "F16" => 2,
        _ => 0,
    }
}

/// What a run works in. With `GroupQueryAttention` that is eight rows of the hidden state and three of the feed-forward
/// network. Graphs that spell attention out have six, and beside the feed-forward network's, or rather than these, the
/// weights of all heads before and after the softmax, and keys and values repeated for all heads that share them.
fn compute(info: &ModelInfo, options: Options<'_>, context: u64) -> Option<u64> {
    let shape = &info.shape;
    let layers = shape.layers.as_deref()?;
    // Without a cache each run computes the whole sequence, and what its heads are is not known.
    if layers.iter().all(|layer| layer.kv_heads == 0) {
        return None;
    }
    let widths = Widths::of(info)?;
    let context = u128::from(context);
    let row = u128::from(options.session.batch).min(context) * 4;
    let feed_forward = row * 3 * widths.inner;
    if !shape.grows {
        return Some(bytes(row * 8 * widths.hidden + feed_forward));
    }
    let attention = 2 * row * widths.heads * context + 3 * context * widths.query * 4;
    Some(bytes(row * 6 * widths.hidden + feed_forward.max(attention)))
}

/// The scores that a run gives and the copies that are lent to the sampler; of the last token of each sequence, or of all.
fn scores(info: &ModelInfo, options: Options<'_>, context: u64) -> u64 {
    let session = options.session;
    let row = u64::from(info.shape.vocabulary) * 4;
    let all = if info.shape.all_scores { u64::from(session.batch).min(context) } else { 0 };
    row * (2 * u64::from(session.parallel)).max(u64::from(session.parallel) + all)
}

#[cfg(test)]
mod tests {
    use trillm_core::{CacheType, GraphOptions, LoadOptions, SessionOptions};

    use super::*;
    use crate::plan::alternatives::tests::smollm2;

    fn as_graph(grows: bool) -> ModelInfo {
        let mut info = smollm2();
        (info.format, info.bytes) = ("onnx", 600_000_000);
        info.shape.cache_type = Some(CacheType::F32);
        (info.shape.grows, info.shape.unaligned) = (grows, 1000);
        for product in &mut info.shape.products {
            product.kind = "F32".into();
        }
        info
    }

    #[test]
    fn parts_are_what_is_worked_out_by_hand() {
        let load = LoadOptions::default();
        let one = SessionOptions { context: Some(1024), parallel: 1, ..SessionOptions::default() };
        let four = SessionOptions { parallel: 4, ..one.clone() };
        let (shared, grown) = (as_graph(false), as_graph(true));
        let found = need(&shared, Options::new(&load, &four));
        let token = 30 * 3 * 128 * 4;
        // Every slot has room for a whole sequence.
        assert_eq!(found.cache, Some(4 * 1024 * token));
        assert_eq!((found.weights_mapped, found.weights_private), (600_000_000, 600_001_000));
        assert_eq!(found.compute, Some(512 * 4 * (8 * 576 + 3 * 1536)));
        assert_eq!(found.scores, 2 * 4 * 49_152 * 4);
        // The matrix of the scores.
        assert_eq!(found.loading, 49_152 * 576 * 4);
        let plain = LoadOptions { graph: GraphOptions { prepack: false, ..GraphOptions::default() }, ..load.clone() };
        assert_eq!(need(&shared, Options::new(&plain, &four)).loading, 0);
        let (alone, several) = (need(&grown, Options::new(&load, &one)), need(&grown, Options::new(&load, &four)));
        assert_eq!((alone.cache, several.cache), (Some(2 * 1024 * token), Some(3 * 4 * 1024 * token)));
        let heads = 2 * 512 * 4 * 9 * 1024 + 3 * 1024 * 576 * 4;
        assert_eq!(alone.compute, Some(512 * 4 * 6 * 576 + heads));
    }

    #[test]
    fn a_graph_that_was_not_cut_scores_all_tokens_of_a_step() {
        let mut info = as_graph(false);
        info.shape.all_scores = true;
        let load = LoadOptions::default();
        let session = SessionOptions { context: Some(1024), parallel: 1, ..SessionOptions::default() };
        assert_eq!(need(&info, Options::new(&load, &session)).scores, 513 * 49_152 * 4);
    }
}
