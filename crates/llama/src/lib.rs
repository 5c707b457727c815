//! llama.cpp as an engine: GGUF files of every architecture it knows, on the processor and, where compiled in, on GPUs.
//!
//! Deliberately not here: sampling, chat templates, grammars and tokenizers, which llama.cpp offers too. They are written
//! once, outside of engines, so that requests behave alike on every engine, and their asserts cannot be reached.
//!
//! A reader would ask why this does not simply use `llama-cpp-2`: it keeps every handle private, so what it lacks
//! (batches of several sequences without unsoundness, several adapters, a thread pool, guards against exceptions)
//! cannot be added to it. See `docs/decisions/001-llama-bindings.md`. All `unsafe` is in `ffi.rs`; C++ exceptions stop
//! in `shim.cpp`.
#![warn(missing_docs)]

mod arrays;
mod backend;
mod ffi;
mod load;
mod log;
mod memory;
mod model;
mod name;
mod params;
mod session;

use std::sync::Arc;

use trillm_core::{Engine, LoadOptions, Model, ModelFile, Result, SessionOptions};

use name::NAME;

pub use backend::{Device, DeviceKind, SystemInfo, devices, system_info};

/// llama.cpp.
#[derive(Clone, Copy, Debug, Default)]
pub struct Llama;

impl Engine for Llama {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, format: &str) -> bool {
        format == "gguf"
    }

    fn check(&self, file: &ModelFile, load: &LoadOptions, session: &SessionOptions) -> Result<()> {
        load::check(load)?;
        params::check(&file.info, session)
    }

    fn load(&self, file: ModelFile, options: &LoadOptions) -> Result<Arc<dyn Model>> {
        Ok(Arc::new(load::load(file.of(NAME)?, options)?))
    }
}
