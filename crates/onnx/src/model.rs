//! A loaded model: what sessions are made from, and its tokenizer.

use trillm_core::{CacheType, Error, Limits, Model, ModelInfo, Output, Result, Session, SessionOptions, Tokenizer};
use trillm_formats::onnx::{Cache, Interface};

use crate::cache::{Grown, Shared, Whole};
use crate::decoder::DecoderSession;
use crate::encoder::EncoderSession;
use crate::program::Program;
use crate::settings::all_threads;

/// A model of this engine.
pub(crate) struct OnnxModel {
    pub(crate) info: ModelInfo,
    pub(crate) tokenizer: Box<dyn Tokenizer>,
    pub(crate) program: Program,
}

/// The longest sequence that there are positions for, where files say that.
fn positions(info: &ModelInfo) -> Option<u32> {
    Some(info.context_trained).filter(|trained| *trained > 0)
}

/// Checks that a graph whose files say `info` can be run so.
pub(crate) fn check(info: &ModelInfo, options: &SessionOptions) -> Result<()> {
    options.check()?;
    if let CacheType::Q8_0 | CacheType::Q4_0 = options.cache_type {
        let (what, by) = ("a cache of 8-bit or 4-bit numbers".into(), "graphs that were exported without one".into());
        return Err(Error::Unsupported { what, by });
    }
    if options.flash_attention.is_some() {
        let (what, by) = ("choosing a kind of attention".into(), "graphs, which say their own".into());
        return Err(Error::Unsupported { what, by });
    }
    options.check_positions(positions(info))
}

impl OnnxModel {
    /// What every decoder's session may hold; a row is the vocabulary's scores.
    fn limits(&self, options: &SessionOptions, row: u32) -> Result<Limits> {
        check(&self.info, options)?;
        let context = options.context_for(self.info.context_trained);
        Ok(Limits {
            slots: options.parallel,
            context,
            // Every slot has room for a whole sequence; what is not written to takes no memory.
            cells: context.saturating_mul(options.parallel),
            tokens_per_step: options.batch,
            row,
            reuses_prefix: true,
            threads: all_threads(&self.program.graph, options) as u32,
        })
    }
}

impl Model for OnnxModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &*self.tokenizer
    }

    fn positions(&self) -> Option<u32> {
        positions(&self.info)
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        let program = &self.program;
        // The runtime reads the weights as a session is made.
        program.memory.check()?;
        let architecture = &self.info.architecture;
        match (&program.interface, &options.output) {
            (Interface::Encoder(shape), Output::Embedding(pooling)) => {
                let vocabulary = self.info.vocabulary;
                if shape.pooled != pooling.is_empty() {
                    let by = format!("this {architecture} graph, which pools by itself");
                    return Err(Error::Unsupported { what: "another way of pooling".into(), by });
                }
                let limits = self.limits(options, shape.width * pooling.len().max(1) as u32)?;
                Ok(Box::new(EncoderSession::new(program, shape, pooling.clone(), limits, vocabulary, options)?))
            }
            (Interface::Encoder(_), Output::Scores) => Err(Error::EmbedsOnly { architecture: architecture.clone() }),
            (Interface::Decoder(_), Output::Embedding(_)) => {
                let (what, by) = ("embedding".into(), format!("this {architecture} graph, which gives only scores"));
                Err(Error::Unsupported { what, by })
            }
            (Interface::Decoder(shape), Output::Scores) => {
                let limits = self.limits(options, shape.rows())?;
                Ok(match &shape.cache {
                    Cache::None => Box::new(DecoderSession::new(program, shape, limits, options, Whole::new(&limits))?),
                    Cache::Grown(tensors) => {
                        let cache = Grown::new(tensors, shape, &limits, program.memory.total());
                        Box::new(DecoderSession::new(program, shape, limits, options, cache)?)
                    }
                    Cache::Shared(tensors) => {
                        let cache = Shared::new(tensors, &limits)?;
                        Box::new(DecoderSession::new(program, shape, limits, options, cache)?)
                    }
                })
            }
        }
    }
}
