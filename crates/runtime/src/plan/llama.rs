//! What llama.cpp does with a model on the processor.
//!
//! Read in llama.cpp as pinned (`llama-cpp-sys-2` 0.1.161), and compared with the sizes that it logs and with resident
//! memory for smollm2 and two seeded models: `benches/memory.py`.

use std::collections::BTreeSet;

use trillm_core::{CacheType, Layer, ModelInfo, Product, Purpose};

use super::machine::Machine;
use super::need::{Need, Widths, bytes};
use super::options::Options;

/// llama.cpp rounds a context up to a multiple of this (`llama_context`).
const CONTEXT_STEP: u32 = 256;

/// Bytes for each word and each merge, in llama.cpp's vocabulary and in ours: strings, and tables that find them.
/// Measured: 186 for each of 128,000 words, 198 for each of 98,052 words and merges.
const ENTRY: u64 = 192;

/// Bytes that are kept of a cell beside keys and values: its position, and a bit for each of 256 sequences.
const CELL: u64 = 48;

/// Measured, with two threads and a vocabulary of 2,000.
const RUNTIME: u64 = 3 << 20;

/// Pages of code that loading and a step go through, measured.
const CODE: u64 = 8 << 20;

pub(super) fn need(info: &ModelInfo, options: Options<'_>, machine: &Machine) -> Need {
    let (load, session, shape) = (options.load, options.session, &info.shape);
    let cells = session.context_for(info.context_trained);
    let cells = cells.checked_next_multiple_of(CONTEXT_STEP).unwrap_or(cells);
    let repacked = shape.products.iter().filter(|it| is_repacked(it, &machine.features)).map(|it| it.bytes);
    let repacked = repacked.fold(0, u64::saturating_add);
    let generates = info.purpose == Purpose::Text;
    let cache = shape.cache_bytes(cells.into(), session.parallel, session.cache_type);
    let cache = cache.map(|bytes| bytes.saturating_add(u64::from(cells) * CELL));
    let tokens = session.ubatch.min(session.batch).min(cells);
    Need {
        weights_mapped: if load.mmap { info.bytes } else { 0 },
        // Adapters are read into buffers of their own (`llama_adapter_lora_init_impl`).
        // Mapped, they are there twice. Read, each goes where it is needed: a matrix that gives the scores and is the
        // embedding, too, to both.
        weights_private: if load.mmap { repacked } else { info.bytes.max(repacked) }.saturating_add(options.adapters),
        cache,
        compute: if generates {
            compute(info, options, cells, [tokens, session.parallel])
        } else {
            vectors(info, options, cells)
        },
        scores: if generates { scores(info, session.parallel) } else { outputs(info, cells) },
        tokenizer: shape.entries * ENTRY,
        runtime: RUNTIME,
        runtime_mapped: CODE,
        notes: cache.filter(|_| generates).and_then(|cache| beside(info, options, cells, cache)).into_iter().collect(),
        ..Need::default()
    }
    .say_unknown()
}

/// Whether a matrix is kept a second time, rearranged for this processor: `ggml_repack_get_optimal_repack_type` of
/// `ggml-cpu/repack.cpp`, for x86-64 and ARM. Its `has` functions ask what ggml was compiled for, which is this
/// machine.
fn is_repacked(product: &Product, features: &BTreeSet<String>) -> bool {
    let has = |name: &str| features.contains(name);
    let eights = product.rows.is_multiple_of(8);
    let fours = product.rows.is_multiple_of(4);
    // `i8mm` and `asimddp` are how Linux names them.
    let (i8mm, dot) = (has("i8mm"), has("asimddp"));
    match product.kind.as_str() {
        "Q4_0" | "IQ4_NL" | "MXFP4" => has("avx2") && eights || (dot || i8mm && product.kind == "Q4_0") && fours,
        "Q4_K" => eights && (has("avx2") || i8mm || dot),
        "Q2_K" => eights && has("avx512f"),
        "Q5_K" | "Q6_K" => eights && (i8mm || dot),
        "Q8_0" | "Q1_0" => fours && (i8mm || dot),
        _ => false,
    }
}

/// What of a step's buffers becomes resident.
///
/// ggml puts what lives at the same time side by side. Of a layer that is the most either in its feed-forward network or,
/// without flash attention, where the weights of all heads are; or it is the scores, at the end. `llm_graph_context`
/// allocates two more rows of the hidden state, for embeddings among tokens, which nothing is written to.
///
/// `tokens` are those of a step, of which so many have `scores`.
fn compute(info: &ModelInfo, options: Options<'_>, cells: u32, [tokens, outputs]: [u32; 2]) -> Option<u64> {
    const NUMBER: u128 = 4;
    let session = options.session;
    let widths = Widths::of(info)?;
    // As in `params.rs` of the engine: flash attention has no cache of 32-bit numbers.
    let flash = session.flash_attention.unwrap_or(session.cache_type != CacheType::F32);
    let layers = info.shape.layers.as_deref().unwrap_or_default();
    // `build_attn_inp_kv_iswa` has one mask for layers with a window and one for those without.
    let masks = 1 + u128::from(layers.iter().any(|layer| layer.window.is_some()));
    let (rows, columns) = (u128::from(tokens), u128::from(cells));
    let mask = masks * rows * columns * if flash { 2 } else { NUMBER };
    let weighed = if flash { 0 } else { columns * widths.heads };
    let attention = rows * NUMBER * (weighed + widths.query + 2 * widths.kv);
    let feed_forward = rows * NUMBER * 3 * widths.inner;
    let scores = u128::from(scores(info, outputs));
    let widest = attention.max(feed_forward).max(scores);
    let graph = bytes(mask + rows * NUMBER * 3 * widths.hidden + widest);
    // Without flash attention the weights are inputs of a product as well, with values of 16 bits.
    let values = if session.cache_type == CacheType::F16 { bytes(rows * weighed * 2) } else { 0 };
    Some(graph.saturating_add(work(&info.shape.products, tokens).max(values)))
}

/// What vectors take that a model makes beside texts: a session of its own, whose steps are whole texts. Scores of all
/// tokens are computed in it, although nobody asks for them.
fn beside(info: &ModelInfo, options: Options<'_>, cells: u32, cache: u64) -> Option<String> {
    info.pipeline.as_ref()?;
    let parts = [cache, compute(info, options, cells, [cells; 2])?, outputs(info, cells), RUNTIME];
    let bytes = parts.into_iter().fold(0, u64::saturating_add);
    Some(format!("embed makes a session of its own when it is first called, of {bytes} bytes more, not counted here"))
}

/// The scores of so many tokens.
fn scores(info: &ModelInfo, tokens: u32) -> u64 {
    u64::from(info.vocabulary) * u64::from(tokens) * 4
}

/// What a step of texts gives: a vector for each token, and room for the scores of each, which nobody asked for
/// (`llama_context::output_reserve`); zeros are written over all of it.
fn outputs(info: &ModelInfo, tokens: u32) -> u64 {
    scores(info, tokens).saturating_add(u64::from(info.width) * u64::from(tokens) * 4)
}

/// The same for a network that makes vectors: texts are taken as a whole, so a step may have as many tokens as the
/// context, each of which sees all.
///
/// An encoder keeps no cache: keys and values are buffers of the step, with flash attention a second time in 16 bits.
fn vectors(info: &ModelInfo, options: Options<'_>, cells: u32) -> Option<u64> {
    const NUMBER: u128 = 4;
    let session = options.session;
    let shape = &info.shape;
    let flash = session.flash_attention.unwrap_or(session.cache_type != CacheType::F32);
    let is_encoder = shape.layers.as_ref()?.iter().all(|layer| *layer == Layer::default());
    if !is_encoder || shape.heads == 0 {
        return None;
    }
    let (rows, hidden, inner) = (u128::from(cells), u128::from(shape.width), u128::from(shape.inner()?));
    let mask = rows * rows * if flash { 2 } else { NUMBER };
    let weighed = if flash { hidden } else { rows * u128::from(shape.heads) };
    let attention = rows * NUMBER * (weighed + 3 * hidden);
    let feed_forward = rows * NUMBER * (if is_gated(info, shape.inner()?) { 2 } else { 1 } * inner + hidden);
    let graph = bytes(mask + rows * NUMBER * 2 * hidden + attention.max(feed_forward));
    Some(graph.saturating_add(work(&shape.products, cells)))
}

/// Whether a network of encoders multiplies one matrix with the other before the last: `LLM_FFN_PAR`, or both in one.
/// Then as many bytes as the last has are there twice, but for types of other lengths.
fn is_gated(info: &ModelInfo, inner: u64) -> bool {
    let width = u64::from(info.shape.width);
    let of = |rows, columns| {
        let form = info.shape.products.iter().filter(|it| (it.rows, it.columns) == (rows, columns));
        form.map(|it| u128::from(it.bytes)).sum::<u128>()
    };
    let first = of(inner, width);
    first == 0 || first * 5 > of(width, inner) * 6
}

/// The inputs of a product in the type that its weights are multiplied with (`ggml_graph_plan`): two bytes a number for
/// weights of 16 bits, and for all that have blocks those of `Q8_1`, 36 bytes for 32 numbers, of which others are shorter.
fn work(products: &[Product], tokens: u32) -> u64 {
    let of = |product: &Product| {
        let numbers = u128::from(tokens) * u128::from(product.columns);
        bytes(match product.kind.as_str() {
            "F32" => 0,
            "F16" | "BF16" => numbers * 2,
            _ => numbers * 36 / 32,
        })
    };
    products.iter().map(of).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::machine;
    use super::*;
    use crate::plan::alternatives::tests::smollm2;
    use trillm_core::{LoadOptions, SessionOptions};

    fn product(kind: &str, rows: u64) -> Product {
        Product { kind: kind.into(), rows, columns: 256, experts: 1, bytes: 1000 }
    }

    #[test]
    fn what_is_rearranged_depends_on_the_type_the_rows_and_the_processor() {
        let features = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let cases = [
            ("Q4_0", 8, &["avx2"][..], true),
            ("Q4_0", 12, &["avx2"], false),
            ("Q4_0", 8, &[], false),
            ("Q4_0", 12, &["asimddp"], true),
            ("Q4_1", 8, &["avx2"], false),
            ("Q4_K", 8, &["avx2"], true),
            ("Q6_K", 8, &["avx2", "avx512f"], false),
            ("Q2_K", 8, &["avx2"], false),
            ("Q2_K", 8, &["avx2", "avx512f"], true),
            ("Q8_0", 8, &["avx2"], false),
            ("Q8_0", 4, &["i8mm"], true),
            ("BF16", 8, &["avx2"], false),
        ];
        for (kind, rows, names, expected) in cases {
            assert_eq!(is_repacked(&product(kind, rows), &features(names)), expected, "{kind} {rows} {names:?}");
        }
    }

    /// The sizes that llama.cpp logs, but for two rows of 576 numbers for each of 512 tokens, and for what is in no
    /// buffer of the graph.
    #[test]
    fn buffers_are_those_that_llama_cpp_logs() {
        let info = smollm2();
        let load = LoadOptions::default();
        for (context, parallel, cache_type, logged) in [
            (512, 1, CacheType::F16, 15.14),
            (2048, 8, CacheType::F16, 16.64),
            (8192, 8, CacheType::F16, 22.64),
            (2048, 1, CacheType::F32, 47.51),
            (8192, 8, CacheType::F32, 167.51),
        ] {
            let session = SessionOptions { context: Some(context), parallel, cache_type, ..SessionOptions::default() };
            let found = compute(&info, Options::new(&load, &session), context, [512, parallel]).expect("known");
            let work = work(&info.shape.products, 512);
            let whole = (found - work + 512 * 2 * 576 * 4) as f64 / f64::from(1 << 20);
            assert!((whole - logged).abs() < 0.03, "{whole} and not {logged} MiB of {context} × {parallel}");
        }
    }

    #[test]
    fn parts_are_what_is_worked_out_by_hand() {
        let info = smollm2();
        let (load, session) = (LoadOptions::default(), SessionOptions { parallel: 2, ..SessionOptions::default() });
        let context = Some(1000);
        let session = SessionOptions { context, ..session };
        let need = need(&info, Options::new(&load, &session), &machine(1 << 30));
        // 30 layers of 3 heads of 64 keys and 64 values in two bytes, in 1024 cells.
        assert_eq!(need.cache, Some(1024 * (30 * 3 * 128 * 2 + 48)));
        assert_eq!((need.weights_mapped, need.weights_private), (info.bytes, 0));
        assert_eq!(need.scores, 2 * 49_152 * 4);
        assert_eq!(need.tokenizer, 98_052 * 192);
        // Mask, three rows of the hidden state, three of the feed-forward network, and inputs in blocks.
        let compute = 512 * 1024 * 2 + 512 * 4 * 3 * 576 + 512 * 4 * 3 * 1536 + 512 * 1536 * 36 / 32;
        assert_eq!(need.compute, Some(compute));
        let read = LoadOptions { mmap: false, ..load };
        let need = super::need(&info, Options::new(&read, &session), &machine(1 << 30));
        assert_eq!((need.weights_mapped, need.weights_private), (0, info.bytes));
    }

    /// An encoder of six layers with 12 heads, of 32-bit weights.
    fn encoder() -> ModelInfo {
        let mut info = ModelInfo {
            format: "gguf",
            bytes: 91_000_000,
            context_trained: 512,
            width: 384,
            vocabulary: 30_522,
            purpose: Purpose::Vectors,
            ..ModelInfo::default()
        };
        info.shape.layers = Some(vec![Layer::default(); 6]);
        (info.shape.width, info.shape.heads, info.shape.entries) = (384, 12, 30_522);
        for (rows, columns) in [(384, 384), (1536, 384), (384, 1536)] {
            let bytes = 6 * rows * columns * 4;
            info.shape.add_product(Product { kind: "F32".into(), rows, columns, experts: 1, bytes });
        }
        info
    }

    #[test]
    fn an_encoder_takes_a_text_as_a_whole() {
        let mut info = encoder();
        let load = LoadOptions::default();
        let of = |info: &ModelInfo, context, flash| {
            let session =
                SessionOptions { context: Some(context), flash_attention: Some(flash), ..SessionOptions::default() };
            need(info, Options::new(&load, &session), &machine(1 << 30))
        };
        let plain = of(&info, 500, false);
        // 512 tokens that see each other in 12 heads, in 32 bits; the mask; three rows for each, and two that stay.
        assert_eq!(plain.compute, Some(512 * 512 * 12 * 4 + 512 * 512 * 4 + 512 * 4 * (3 + 2) * 384));
        // Scores that nobody asked for, and vectors.
        assert_eq!(plain.scores, 512 * 4 * (30_522 + 384));
        assert_eq!(plain.cache, Some(512 * 48));
        // Of flash attention there is a mask in 16 bits, and more between the two parts of a feed-forward network.
        assert_eq!(of(&info, 512, true).compute, Some(512 * 512 * 2 + 512 * 4 * ((1536 + 384) + 2 * 384)));
        info.shape.add_product(Product { kind: "F32".into(), rows: 1536, columns: 384, experts: 1, bytes: 14_155_776 });
        assert_eq!(of(&info, 512, true).compute, Some(512 * 512 * 2 + 512 * 4 * ((2 * 1536 + 384) + 2 * 384)));
        info.shape.layers = Some(vec![Layer { kv_heads: 1, key: 8, value: 8, ..Layer::default() }]);
        assert_eq!(of(&info, 512, true).compute, None);
    }

    #[test]
    fn adapters_are_there_beside_the_weights() {
        let info = smollm2();
        let (load, session) = (LoadOptions::default(), SessionOptions::default());
        let options = Options { adapters: 1_000_000, ..Options::new(&load, &session) };
        assert_eq!(need(&info, options, &machine(1 << 30)).weights_private, 1_000_000);
        let read = LoadOptions { mmap: false, ..LoadOptions::default() };
        let options = Options { adapters: 1_000_000, ..Options::new(&read, &session) };
        assert_eq!(need(&info, options, &machine(1 << 30)).weights_private, info.bytes + 1_000_000);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut info = smollm2();
        info.shape.layers = None;
        let (load, session) = (LoadOptions::default(), SessionOptions::default());
        let need = need(&info, Options::new(&load, &session), &machine(1 << 30));
        assert_eq!((need.cache, need.compute, need.is_whole()), (None, None, false));
        assert_eq!(need.notes.len(), 2);
    }
}
