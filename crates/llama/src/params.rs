//! From our options to llama.cpp's parameters: checked, and every choice made here rather than left open.

use llama_cpp_sys_2 as sys;
use trillm_core::{CacheType, Error, Layer, LoadOptions, ModelInfo, Output, Pooling, Result, SessionOptions};
use trillm_machine::default_threads;

use crate::NAME;
use crate::ffi::{self, Model};

/// llama.cpp rounds a context up to a multiple of this.
const CONTEXT_STEP: u32 = 256;

/// Architectures with a table of positions: a position beyond it would abort the process.
const LEARNED_POSITIONS: [&str; 4] = ["bert", "gpt2", "mpt", "starcoder"];

/// Architectures for which llama.cpp turns flash attention off (`llama_init_from_model`).
const NO_FLASH_ATTENTION: [&str; 1] = ["grok"];

/// Numbers in a block of a cache of 8 or 4 bits.
const BLOCK: u32 = 32;

/// Parameters for loading.
pub(crate) fn model(options: &LoadOptions) -> sys::llama_model_params {
    let layers = options.gpu_layers;
    let mut params = ffi::model_params();
    // Negative means all there are.
    params.n_gpu_layers = layers.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    params.load_mode = match (options.mmap, options.mlock) {
        (true, true) => sys::LLAMA_LOAD_MODE_MMAP_MLOCK,
        (true, false) => sys::LLAMA_LOAD_MODE_MMAP,
        (false, true) => sys::LLAMA_LOAD_MODE_MLOCK,
        (false, false) => sys::LLAMA_LOAD_MODE_NONE,
    };
    params
}

/// The longest sequence the model can hold at all, if there is such a limit.
pub(crate) fn positions(info: &ModelInfo) -> Option<u32> {
    LEARNED_POSITIONS.contains(&&*info.architecture).then_some(info.context_trained)
}

/// Checks that a model whose files say `info` can be run so.
pub(crate) fn check(info: &ModelInfo, options: &SessionOptions) -> Result<()> {
    options.check()?;
    options.check_positions(positions(info))?;
    let unsupported = |what: String| Err(Error::Unsupported { what, by: NAME.into() });
    match options.cache_type {
        // It would turn the cache into F16 for every step, and say nothing.
        CacheType::F32 if options.flash_attention == Some(true) => {
            unsupported("flash attention over an F32 cache".into())
        }
        CacheType::F32 | CacheType::F16 => Ok(()),
        // Its products without flash attention read values by columns, and blocks are of rows.
        CacheType::Q8_0 | CacheType::Q4_0
            if options.flash_attention == Some(false) || NO_FLASH_ATTENTION.contains(&&*info.architecture) =>
        {
            unsupported(format!("a cache of {} numbers without flash attention", options.cache_type.name()))
        }
        CacheType::Q8_0 | CacheType::Q4_0 => match heads(info).find(|width| width % BLOCK != 0) {
            Some(width) => unsupported(format!(
                "a cache of {} numbers, which come in blocks of {BLOCK}, for heads of {width},",
                options.cache_type.name()
            )),
            None => Ok(()),
        },
    }
}

/// How many keys, and how many values, a head of each layer has, as far as that is known.
fn heads(info: &ModelInfo) -> impl Iterator<Item = u32> + '_ {
    let shape = &info.shape;
    let layers = shape.layers.as_deref().unwrap_or_default();
    let kept = layers.iter().filter(|layer| layer.kv_heads > 0).flat_map(|layer| [layer.key, layer.value]);
    // Of an encoder, which keeps nothing, llama.cpp asks the same.
    let is_encoder = layers.iter().all(|layer| *layer == Layer::default());
    kept.chain(shape.width.checked_div(shape.heads).filter(|_| is_encoder && !layers.is_empty()))
}

/// Parameters for a context.
pub(crate) fn context(model: &Model, info: &ModelInfo, options: &SessionOptions) -> Result<sys::llama_context_params> {
    check(info, options)?;
    let cells = options.context_for(model.context_trained()).next_multiple_of(CONTEXT_STEP);

    let mut params = ffi::context_params();
    params.n_ctx = cells;
    params.n_seq_max = options.parallel;
    params.n_batch = options.batch;
    params.n_ubatch = options.ubatch.min(options.batch);
    // One row for each sequence. Room for a row for each token, llama.cpp's default, is a vocabulary times the batch
    // in memory; less than a row for each sequence is an assert.
    params.n_outputs_max = options.parallel;
    // One pool of cells for all sequences: that is what makes sharing a prefix free.
    params.kv_unified = true;
    params.n_threads = options.threads.unwrap_or_else(default_threads) as i32;
    params.n_threads_batch = params.n_threads;
    params.type_k = cache_type(options.cache_type);
    params.type_v = params.type_k;
    params.flash_attn_type = match options.flash_attention {
        // With flash attention llama.cpp would turn an F32 cache into F16 for every step, and say nothing.
        None if options.cache_type == CacheType::F32 => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
        None => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        Some(true) => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        Some(false) => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
    };
    params.no_perf = true;
    if let Output::Embedding(pooling) = &options.output {
        params.embeddings = true;
        params.pooling_type = match pooling[..] {
            [Pooling::Mean] => sys::LLAMA_POOLING_TYPE_MEAN,
            [Pooling::First] => sys::LLAMA_POOLING_TYPE_CLS,
            [Pooling::Last] => sys::LLAMA_POOLING_TYPE_LAST,
            _ => {
                let ways: Vec<_> = pooling.iter().map(|way| way.name()).collect();
                let what = format!("pooling by {:?}", ways.join("+"));
                return Err(Error::Unsupported { what, by: NAME.into() });
            }
        };
        // Pooling sees one micro-batch at a time, so a whole text has to fit into one. Every token is an output.
        params.n_batch = cells;
        params.n_ubatch = cells;
        params.n_outputs_max = cells;
    }
    Ok(params)
}

fn cache_type(wish: CacheType) -> sys::ggml_type {
    match wish {
        CacheType::F32 => sys::GGML_TYPE_F32,
        CacheType::F16 => sys::GGML_TYPE_F16,
        CacheType::Q8_0 => sys::GGML_TYPE_Q8_0,
        CacheType::Q4_0 => sys::GGML_TYPE_Q4_0,
    }
}
