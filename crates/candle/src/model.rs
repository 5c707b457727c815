//! A loaded model: weights that sessions share, and its tokenizer.

use std::sync::Arc;

use trillm_core::{Model, ModelInfo, Result, Session, SessionOptions, Tokenizer};
use trillm_formats::huggingface::{self, Config, Rope, RopeScaling};
use trillm_mapping::Mapping;
use trillm_tokenizer::HuggingFaceTokenizer;

use crate::decoder::{self, DecoderSession, DecoderWeights};
use crate::encoder::{EncoderSession, EncoderWeights};

/// A model of this engine.
pub(crate) struct CandleModel {
    pub(crate) info: ModelInfo,
    pub(crate) tokenizer: HuggingFaceTokenizer,
    pub(crate) network: Network,
    /// The files that weights are read from, to keep an eye on.
    pub(crate) files: Vec<Arc<Mapping>>,
}

/// What is run: sizes and weights.
pub(crate) enum Network {
    Decoder(Box<huggingface::Decoder>, DecoderWeights),
    Encoder(huggingface::Encoder, EncoderWeights),
}

/// Rotary positions go on and on, but for those whose wavelengths would change.
fn decoder_positions(shape: &huggingface::Decoder) -> Option<u32> {
    let ends = |rope: &Rope| matches!(rope.scaling, RopeScaling::Dynamic { .. });
    shape.ropes.iter().any(ends).then_some(shape.context)
}

/// Checks that a model of such sizes can be run so.
pub(crate) fn check(config: &Config, options: &SessionOptions) -> Result<()> {
    options.check()?;
    match config {
        Config::Decoder(shape) => {
            options.check_positions(decoder_positions(shape))?;
            decoder::is_half(options).map(drop)
        }
        Config::Encoder(shape) => options.check_positions(Some(shape.context)),
    }
}

impl Model for CandleModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn positions(&self) -> Option<u32> {
        match &self.network {
            Network::Decoder(shape, _) => decoder_positions(shape),
            Network::Encoder(shape, _) => Some(shape.context),
        }
    }

    fn session(&self, options: &SessionOptions) -> Result<Box<dyn Session + '_>> {
        self.files.iter().try_for_each(|file| file.check())?;
        match &self.network {
            Network::Decoder(shape, weights) => {
                Ok(Box::new(DecoderSession::new(shape, weights, &self.files, options)?))
            }
            Network::Encoder(shape, weights) => {
                Ok(Box::new(EncoderSession::new(shape, weights, &self.files, options)?))
            }
        }
    }
}
