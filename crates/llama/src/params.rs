//! From our options to llama.cpp's parameters: checked, and every choice made here rather than left open.

use llama_cpp_sys_2 as sys;
use trillm_core::{CacheType, Error, LoadOptions, Output, Pooling, Result, SessionOptions};
use trillm_machine::default_threads;

use crate::NAME;
use crate::ffi::{self, Model};

/// llama.cpp rounds a context up to a multiple of this.
const CONTEXT_STEP: u32 = 256;

/// Architectures with a table of positions: a position beyond it would abort the process.
const LEARNED_POSITIONS: [&str; 4] = ["bert", "gpt2", "mpt", "starcoder"];

/// Parameters for loading.
pub(crate) fn model(options: &LoadOptions, gpu: bool) -> Result<sys::llama_model_params> {
    let layers = options.gpu_layers;
    if layers.is_some_and(|n| n > 0) && !gpu {
        return Err(Error::Unsupported { what: "putting layers on a GPU".into(), by: format!("{NAME} without a GPU") });
    }
    if let Some(kind) = options.quantize {
        let what = format!("quantizing to {} while loading", kind.name());
        return Err(Error::Unsupported { what, by: NAME.into() });
    }
    let mut params = ffi::model_params();
    // Negative means all there are.
    params.n_gpu_layers = layers.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    params.load_mode = match (options.mmap, options.mlock) {
        (true, true) => sys::LLAMA_LOAD_MODE_MMAP_MLOCK,
        (true, false) => sys::LLAMA_LOAD_MODE_MMAP,
        (false, true) => sys::LLAMA_LOAD_MODE_MLOCK,
        (false, false) => sys::LLAMA_LOAD_MODE_NONE,
    };
    Ok(params)
}

/// The longest sequence the model can hold at all, if there is such a limit.
pub(crate) fn positions(model: &Model) -> Option<u32> {
    LEARNED_POSITIONS.contains(&model.architecture().as_str()).then(|| model.context_trained())
}

/// Parameters for a context.
pub(crate) fn context(model: &Model, options: &SessionOptions) -> Result<sys::llama_context_params> {
    options.check()?;
    options.check_positions(positions(model))?;
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
        Some(true) if options.cache_type == CacheType::F32 => {
            return Err(Error::Unsupported {
                what: "flash attention over an F32 cache".into(),
                by: "llama.cpp".into(),
            });
        }
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
