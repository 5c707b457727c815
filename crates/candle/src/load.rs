//! From files to a model: weights, tokenizer, and what `info` says of them.

use trillm_core::{Error, LoadOptions, ModelFile, Result, Tokenizer};
use trillm_formats::Checkpoint;
use trillm_formats::huggingface::Config;
use trillm_tokenizer::HuggingFaceTokenizer;

use crate::NAME;
use crate::model::{CandleModel, Network};
use crate::weights::Weights;
use crate::{decoder, encoder};

/// Loads a model from what was read of its folder, and the files with weights that lie there.
pub(crate) fn load(file: ModelFile<Checkpoint>, options: &LoadOptions) -> Result<CandleModel> {
    check(options)?;
    let ModelFile { mut info, contents: checkpoint, .. } = file;
    let rows = match &checkpoint.config {
        Config::Decoder(shape) => shape.vocabulary,
        Config::Encoder(shape) => shape.vocabulary,
    };
    let tokenizer = HuggingFaceTokenizer::open(&checkpoint.folder, &checkpoint.sidecars)
        .map_err(|error| Error::refused(&error))?
        .with_rows(rows);
    info.engine = NAME;
    info.device = "cpu".into();
    info.vocabulary = tokenizer.vocabulary();

    checkpoint.check_output().map_err(|error| Error::refused(&error.of(&checkpoint.folder)))?;
    let mut weights = Weights::open(&checkpoint, options)?;
    let told = |share| options.tell(share);
    let network = match &checkpoint.config {
        Config::Decoder(shape) => Network::Decoder(shape.clone(), decoder::load(shape, &mut weights, told)?),
        Config::Encoder(shape) => Network::Encoder(shape.clone(), encoder::load(shape, &mut weights, told)?),
    };
    info.weights = match (options.quantize, options.mmap, weights.copied()) {
        (Some(_), ..) => "quantized into memory",
        (None, false, _) => "read",
        (None, true, true) => "mapped, partly copied",
        (None, true, false) => "mapped",
    };
    if let Some(kind) = options.quantize {
        info.quantization = format!("{} quantized to {}", info.quantization, kind.name());
    }
    info.notes.extend(tokenizer.note());
    info.notes.extend(weights.notes());
    let files = weights.files().to_vec();
    if options.mlock && !files.iter().all(|file| file.lock()) {
        info.notes.push("the weights could not be locked in memory".into());
    }
    Ok(CandleModel { info, tokenizer, network, files })
}

/// What this engine cannot do is an error.
pub(crate) fn check(options: &LoadOptions) -> Result<()> {
    options.without_graph(NAME)?;
    let unsupported = |what: &str| Err(Error::Unsupported { what: what.into(), by: NAME.into() });
    if options.gpu_layers.is_some_and(|layers| layers > 0) {
        return unsupported("putting layers on a GPU");
    }
    if !options.lora.is_empty() {
        return unsupported("a LoRA adapter");
    }
    Ok(())
}
