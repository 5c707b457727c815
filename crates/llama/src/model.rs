//! A loaded model: weights that sessions share, and its tokenizer.

use std::sync::Arc;

use trillm_core::{Model, ModelInfo, Result, Session, SessionOptions, Tokenizer};
use trillm_mapping::Watched;
use trillm_tokenizer::GgufTokenizer;

use crate::session::LlamaSession;
use crate::{ffi, params};

/// A model of this engine.
pub(crate) struct LlamaModel {
    pub(crate) info: ModelInfo,
    pub(crate) weights: Arc<ffi::Model>,
    pub(crate) tokenizer: GgufTokenizer,
    /// The files that weights are read from in every step; none if they are in memory.
    pub(crate) files: Vec<Watched>,
}

impl Model for LlamaModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn positions(&self) -> Option<u32> {
        params::positions(&self.info)
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(LlamaSession::new(&self.weights, &self.info, &self.files, options)?))
    }
}
