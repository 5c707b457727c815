//! From files to a model: graph, weights, tokenizer, and what `info` says of them.

use std::path::Path;
use std::sync::Arc;

use trillm_core::{Error, LoadOptions, ModelFile, ModelInfo, Result, Tokenizer};
use trillm_formats::TokenizerFile;
use trillm_formats::huggingface::Sidecars;
use trillm_formats::onnx::{Encoder, Interface, Onnx};
use trillm_tokenizer::{GgufTokenizer, HuggingFaceTokenizer};

use crate::model::OnnxModel;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::weights::WeightMemory;
use crate::{NAME, settings};

/// Loads a model from its graph, and the files with weights that were opened with it.
pub(crate) fn load(file: ModelFile<Onnx>, options: &LoadOptions) -> Result<OnnxModel> {
    check(options)?;
    options.tell(0.0)?;
    let ModelFile { path, mut info, contents: onnx } = file;
    let rows = match &onnx.interface {
        Interface::Decoder(decoder) => Some(decoder.rows()),
        Interface::Encoder(Encoder { embedded, .. }) => *embedded,
    };
    let tokenizer = match &options.tokenizer {
        None => open(&onnx.folder, &onnx.sidecars, rows, &mut info)?,
        Some(path) => elsewhere(path, &mut info, rows)?,
    };
    info.engine = NAME;
    info.vocabulary = tokenizer.vocabulary();

    let runtime = Runtime::start(options)?;
    settings::check_providers(&options.graph)?;
    let Onnx { mut skeleton, interface, .. } = onnx;
    let memory = WeightMemory::open(&mut skeleton, !options.mmap)?;
    options.tell(1.0)?;
    info.device = match &options.graph.providers[..] {
        [] => "cpu".into(),
        providers => providers.join("+"),
    };
    // Measured: what the runtime is given as memory it copies, whether or not it rearranges matrices.
    info.weights = if options.mmap { "mapped, and copied by the runtime" } else { "read, and copied by the runtime" };
    if options.mmap && memory.copied() > 0 {
        let (copied, total) = (memory.copied(), memory.total());
        info.notes
            .push(format!("{copied} of {total} bytes of weights are copied once more: the file does not align them"));
    }
    if options.mlock && !memory.lock() {
        info.notes.push("the weights could not be locked in memory".into());
    }
    let program =
        Program { path, runtime, graph: options.graph.clone(), skeleton, interface, memory: Arc::new(memory) };
    Ok(OnnxModel { info, tokenizer, program })
}

/// The tokenizer of a folder, or a `tokenizer.json`. What is to be known of it goes into `info`.
fn open(path: &Path, sidecars: &Sidecars, rows: Option<u32>, info: &mut ModelInfo) -> Result<Box<dyn Tokenizer>> {
    let tokenizer = HuggingFaceTokenizer::open(path, sidecars).map_err(|error| Error::refused(&error))?;
    info.notes.extend(tokenizer.note());
    Ok(match rows {
        Some(rows) => Box::new(tokenizer.with_rows(rows)),
        None => Box::new(tokenizer),
    })
}

/// The tokenizer that a caller names: a GGUF file's, a folder's, or a `tokenizer.json`. What goes with it goes into `info`.
fn elsewhere(path: &Path, info: &mut ModelInfo, rows: Option<u32>) -> Result<Box<dyn Tokenizer>> {
    if let Some(head) = TokenizerFile::gguf(path).map_err(|error| Error::refused(&error))? {
        let words = head.parse().and_then(|file| file.vocabulary()).map_err(|error| Error::refused(&error))?;
        if info.chat_templates.is_empty() {
            info.chat_templates = words.chat_templates;
        }
        info.special_tokens = words.special_tokens;
        info.usual_tokens = words.usual_tokens;
        let tokenizer = GgufTokenizer::of(&head).map_err(|error| Error::refused(&error))?;
        return Ok(match rows {
            Some(rows) => Box::new(tokenizer.with_rows(rows)),
            None => Box::new(tokenizer),
        });
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let sidecars = Sidecars::open(folder).map_err(|error| Error::refused(&error))?;
    if info.chat_templates.is_empty() {
        info.chat_templates.clone_from(&sidecars.chat_templates);
    }
    info.special_tokens.clone_from(&sidecars.special_tokens);
    info.usual_tokens.clone_from(&sidecars.usual_tokens);
    open(path, &sidecars, rows, info)
}

/// What this engine cannot do is an error.
pub(crate) fn check(options: &LoadOptions) -> Result<()> {
    let unsupported = |what: &str| Err(Error::Unsupported { what: what.into(), by: NAME.into() });
    if options.gpu_layers.is_some_and(|layers| layers > 0) {
        return unsupported("putting layers on a GPU (name an execution provider instead)");
    }
    if options.quantize.is_some() {
        return unsupported("quantizing while loading");
    }
    if !options.lora.is_empty() {
        return unsupported("a LoRA adapter");
    }
    Ok(())
}
