//! Hugging Face models as they are published, as an engine: safetensors and PyTorch checkpoints, without conversion.
//!
//! Weights stay in the file: a matrix is a view of the mapping, and the kernels read bf16, f16 and f32 where they lie.
//! A loaded model costs no private memory for them, and all processes that load it share one copy.
//!
//! A reader would ask what candle is for, then: its tensors own their memory and widen bf16 for every product, and its
//! models cannot run a batch of sequences at different positions. So tensors, models and kernels are our own
//! (`trillm-kernels`), and candle's k-quants quantize weights while they are loaded, for whoever asks for that.
//! See `docs/decisions/007-candle-engine.md`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cells;
mod compute;
mod decoder;
mod encoder;
#[cfg(test)]
mod golden;
mod linear;
mod load;
mod model;
mod name;
mod pages;
mod quantized;
mod view;
mod weights;

use std::sync::Arc;

use trillm_core::{Engine, LoadOptions, Model, ModelFile, Result, SessionOptions};
use trillm_formats::Checkpoint;

use name::NAME;

/// The engine for safetensors and PyTorch checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candle;

impl Engine for Candle {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, format: &str) -> bool {
        matches!(format, "safetensors" | "pytorch")
    }

    fn check(&self, file: &ModelFile, load: &LoadOptions, session: &SessionOptions) -> Result<()> {
        load::check(load)?;
        model::check(&file.contents_of::<Checkpoint>(NAME)?.config, session)
    }

    fn load(&self, file: ModelFile, options: &LoadOptions) -> Result<Arc<dyn Model>> {
        Ok(Arc::new(load::load(file.of(NAME)?, options)?))
    }
}
