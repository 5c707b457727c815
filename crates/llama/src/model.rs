//! A loaded model: weights that sessions share, and its tokenizer.

use std::sync::Arc;

use trillm_core::{Error, Model, ModelInfo, Result, Session, SessionOptions, Tokenizer};

use crate::ffi;
use crate::session::LlamaSession;
use crate::tokenizer::LlamaTokenizer;

/// A model of this engine.
pub(crate) struct LlamaModel {
    pub(crate) info: ModelInfo,
    pub(crate) weights: Arc<ffi::Model>,
    pub(crate) tokenizer: LlamaTokenizer,
    pub(crate) vocabulary_only: bool,
}

impl Model for LlamaModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        if self.vocabulary_only {
            return Err(Error::not_loaded());
        }
        Ok(Box::new(LlamaSession::new(&self.weights, options)?))
    }
}
