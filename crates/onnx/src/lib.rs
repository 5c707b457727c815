//! ONNX models as exporters write them, run by ONNX Runtime.
//!
//! The runtime knows graphs and no language models: which input is a cache, what a mask must hold, which positions of
//! several sequences may be computed together is found out by `trillm_formats::onnx` and done here. The runtime opens no
//! file: it is given a graph without weights, and the weights as memory, mapped from files that were checked. It copies
//! them into memory of its own.
//!
//! Its library is loaded when the first model is, from where the options or `ORT_DYLIB_PATH` say. See
//! `docs/decisions/008-onnx-engine.md`. All `unsafe` is in `ffi.rs`.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod cache;
mod decoder;
mod element;
mod encoder;
mod fault;
mod feeds;
#[expect(unsafe_code, reason = "memory is handed to the runtime by pointer")]
mod ffi;
mod load;
mod model;
mod name;
mod program;
mod rows;
mod runtime;
mod settings;
mod threads;
mod weights;

use std::sync::Arc;

use trillm_core::{Engine, LoadOptions, Model, ModelFile, Result, SessionOptions};

use name::NAME;
use runtime::Runtime;

/// The engine for ONNX.
#[derive(Clone, Copy, Debug, Default)]
pub struct Onnx;

impl Engine for Onnx {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, format: &str) -> bool {
        format == "onnx"
    }

    fn check(&self, file: &ModelFile, load: &LoadOptions, session: &SessionOptions) -> Result<()> {
        load::check(load)?;
        model::check(&file.info, session)?;
        // Only the library knows its providers; who asks for none plans without it.
        if load.graph.providers.iter().all(|provider| *provider == settings::CPU) {
            return Runtime::expect_named(load);
        }
        Runtime::start(load)?;
        settings::check_providers(&load.graph)
    }

    fn load(&self, file: ModelFile, options: &LoadOptions) -> Result<Arc<dyn Model>> {
        Ok(Arc::new(load::load(file.of(NAME)?, options)?))
    }
}
