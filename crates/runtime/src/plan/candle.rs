//! What the candle engine does with a model: our own code, so all of it is arithmetic on `crates/candle`.

use trillm_core::{ModelInfo, Product, Purpose, Quantize, Shape};

use super::machine::Machine;
use super::need::{Need, Widths, bytes, tokenizer};
use super::options::Options;

/// Positions in a page of the cache (`trillm_kernels::PAGE`).
const PAGE: u64 = 64;

/// Bytes of weights that each thread has widened at a time (`panel.rs` of the kernels).
const PANEL: u64 = 192 << 10;

/// Measured, with two threads and a vocabulary of 2,000: stacks, and what the scheduler keeps.
const RUNTIME: u64 = 2 << 20;

/// Pages of code that loading and a step go through, measured.
const CODE: u64 = 7 << 20;

pub(super) fn need(info: &ModelInfo, options: Options<'_>, machine: &Machine) -> Need {
    let (load, session, shape) = (options.load, options.session, &info.shape);
    let context = session.context_for(info.context_trained);
    let generates = info.purpose == Purpose::Text;
    // Where sequences end in the middle of a page, the rest of it is empty: half a page each, taken together.
    let cells = u64::from(context) + u64::from(session.parallel) * PAGE / 2;
    let quantized = load.quantize.map_or(0, |wish| quantized(&shape.products, wish));
    // What is not aligned is copied; what is quantized is not, but for the moment.
    let copied = if load.quantize.is_some() { 0 } else { shape.unaligned };
    let (kept, reading) = tokenizer(shape);
    Need {
        weights_mapped: if load.mmap { info.bytes } else { 0 },
        weights_private: quantized + copied + if load.mmap { 0 } else { info.bytes },
        cache: shape.cache_bytes(if generates { cells } else { 0 }, session.parallel, session.cache_type),
        compute: if generates { compute(info, options, context, machine) } else { None },
        scores: if generates { scores(shape, session.parallel) } else { 0 },
        tokenizer: kept,
        runtime: RUNTIME,
        runtime_mapped: CODE,
        loading: reading,
        notes: Vec::new(),
    }
    .say_unknown()
}

/// What a step works in: `Forward` of the decoder, grown to the largest step, and what each thread has widened.
fn compute(info: &ModelInfo, options: Options<'_>, context: u32, machine: &Machine) -> Option<u64> {
    let session = options.session;
    let Widths { hidden, query, kv, inner, .. } = Widths::of(info)?;
    // hidden, normed, projected; qkv; attended; gate_up; activated; and the sines and cosines, half a head each.
    let numbers = 3 * hidden + (query + 2 * kv) + query + 2 * inner + inner;
    let threads = u64::from(session.threads.unwrap_or(machine.threads));
    Some(bytes(u128::from(session.batch.min(context)) * numbers * 4).saturating_add(threads * PANEL))
}

fn scores(shape: &Shape, rows: u32) -> u64 {
    u64::from(shape.vocabulary) * u64::from(rows) * 4
}

/// Bytes of all matrices as `wish`, or as 8-bit blocks where their rows divide into these alone (`quantized.rs`); others
/// stay in the file.
fn quantized(products: &[Product], wish: Quantize) -> u64 {
    let of = |product: &Product| {
        let numbers = product.bytes / if product.kind == "F32" { 4 } else { 2 };
        match wish {
            Quantize::Q4K if product.columns.is_multiple_of(256) => numbers / 256 * 144,
            _ if product.columns.is_multiple_of(32) => numbers / 32 * 34,
            _ => 0,
        }
    };
    products.iter().map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use trillm_core::{CacheType, LoadOptions, SessionOptions};

    use super::super::machine::tests::machine;
    use super::*;
    use crate::plan::alternatives::tests::smollm2;

    fn as_checkpoint() -> ModelInfo {
        let mut info = smollm2();
        info.format = "safetensors";
        info.bytes = 269_060_552;
        (info.shape.entries, info.shape.tokenizer_bytes) = (0, 3_500_000);
        info
    }

    #[test]
    fn parts_are_what_is_worked_out_by_hand() {
        let info = as_checkpoint();
        let load = LoadOptions::default();
        let session =
            SessionOptions { context: Some(2048), parallel: 8, threads: Some(2), ..SessionOptions::default() };
        let need = need(&info, Options::new(&load, &session), &machine(1 << 30));
        assert_eq!(need.cache, Some((2048 + 8 * 32) * 30 * 3 * 128 * 2));
        assert_eq!(need.compute, Some(512 * 4 * (3 * 576 + 576 + 2 * 192 + 576 + 3 * 1536) + 2 * 196_608));
        assert_eq!((need.weights_mapped, need.weights_private), (info.bytes, 0));
        assert_eq!(need.scores, 8 * 49_152 * 4);
        assert_eq!(need.tokenizer, 3_850_000);
        let wide = SessionOptions { cache_type: CacheType::F32, ..session };
        let twice = super::need(&info, Options::new(&load, &wide), &machine(1 << 30));
        assert_eq!(twice.cache, need.cache.map(|bytes| 2 * bytes));
    }

    #[test]
    fn matrices_are_quantized_where_their_rows_divide_into_blocks() {
        let product = |kind: &str, columns, bytes| Product { kind: kind.into(), rows: 4, columns, experts: 1, bytes };
        let products = [product("BF16", 256, 2048), product("F32", 64, 1024), product("BF16", 24, 192)];
        // 1024 and 256 numbers; the last has rows of 24.
        assert_eq!(quantized(&products, Quantize::Q8_0), 1024 / 32 * 34 + 256 / 32 * 34);
        assert_eq!(quantized(&products, Quantize::Q4K), 1024 / 256 * 144 + 256 / 32 * 34);
    }
}
