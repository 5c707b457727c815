//! From a file to a model: weights, adapters, tokenizer, and what `info` says of them.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trillm_core::{Error, LoadOptions, ModelFile, Result, Tokenizer, files};
use trillm_formats::gguf;
use trillm_mapping::Watched;
use trillm_tokenizer::GgufTokenizer;

use crate::ffi::{LoadFailure, Model};
use crate::log::Lines;
use crate::model::LlamaModel;
use crate::{NAME, backend, ffi, memory, params};

/// Loads a model: the first of several files if it is split.
pub(crate) fn load(file: ModelFile<gguf::Files>, options: &LoadOptions) -> Result<LlamaModel> {
    check(options)?;
    let ModelFile { path, mut info, contents } = file;
    for (adapter, _) in &options.lora {
        gguf::check_adapter(adapter).map_err(|error| Error::refused(&error))?;
    }
    backend::start();
    let gpus = backend::gpus();
    let params = params::model(options);
    // Before llama.cpp maps them: what changes from here on is seen.
    let paths = std::iter::once(&*path).chain(info.others.iter().map(PathBuf::as_path));
    let mapped = paths.filter(|_| options.mmap);
    // Of a file that cannot be opened llama.cpp has more to say.
    let files = mapped.map(|path| Watched::open(NAME, path)).collect::<Result<Vec<_>>>();
    // Before the weights take memory: the headers, which hold every word of the vocabulary, are needed no more then.
    let tokenizer = GgufTokenizer::of(&contents.heads[0]).map_err(|error| Error::refused(&error))?;
    drop(contents);
    check_room(&path, 1 + info.others.len())?;
    let log = Lines::listen();
    let mut weights =
        Model::load(&c_path(&path)?, params, options.progress.as_ref()).map_err(|failure| match failure {
            LoadFailure::Cancelled => Error::Cancelled,
            LoadFailure::Failed(reason) => failed(&path, &reason, &log),
        })?;
    if options.mlock && log.mention("mlock") {
        info.notes.push("the weights could not be locked in memory".into());
    }
    // What was said of the weights explains nothing about an adapter.
    log.take();
    for (adapter, scale) in &options.lora {
        weights.add_adapter(&c_path(adapter)?, *scale).map_err(|reason| failed(adapter, &reason, &log))?;
        info.notes.push(format!("LoRA adapter {} at scale {scale}", adapter.display()));
    }
    // It was read twice, and is another file if this differs: tokens would be taken for others.
    if weights.vocabulary() != tokenizer.vocabulary() {
        return Err(failed(&path, "the file was changed while it was loaded", &log));
    }
    let weights = Arc::new(weights);
    ffi::trim();

    info.engine = NAME;
    info.device = device(&gpus, options.gpu_layers);
    info.weights = held(&log.buffers());
    info.vocabulary = tokenizer.vocabulary();
    Ok(LlamaModel { info, weights, tokenizer, files: files? })
}

/// What this engine cannot do is an error.
pub(crate) fn check(options: &LoadOptions) -> Result<()> {
    options.without_graph(NAME)?;
    if options.gpu_layers.is_some_and(|layers| layers > 0) {
        // Here, because looking for GPUs starts them.
        backend::start();
        if backend::gpus().is_empty() {
            let by = format!("{NAME} without a GPU");
            return Err(Error::Unsupported { what: "putting layers on a GPU".into(), by });
        }
    }
    if let Some(kind) = options.quantize {
        let what = format!("quantizing to {} while loading", kind.name());
        return Err(Error::Unsupported { what, by: NAME.into() });
    }
    Ok(())
}

/// Refuses what llama.cpp could not open: it says why in words alone. It keeps the files of a model open while it loads
/// them, and one of them twice.
fn check_room(path: &Path, files: usize) -> Result<()> {
    // Two descriptors each, which nobody has to look for.
    let opened: io::Result<Vec<_>> = (0..=files.div_ceil(2)).map(|_| io::pipe()).collect();
    match opened {
        Err(error) if files::are_too_many(&error) => Err(Error::no_file(path.display().to_string(), &error)),
        _ => Ok(()),
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Error::Load {
        engine: NAME,
        path: path.into(),
        reason: "the path contains a zero byte".into(),
        log: Vec::new(),
    })
}

fn failed(path: &Path, reason: &str, log: &Lines) -> Error {
    let reason = if reason.is_empty() { "llama.cpp refused the file" } else { reason };
    let log = log.take();
    let load = || Error::Load { engine: NAME, path: path.into(), reason: reason.into(), log: log.clone() };
    memory::missing(reason, &log).unwrap_or_else(load)
}

fn device(gpus: &[String], layers: Option<u32>) -> String {
    if gpus.is_empty() || layers == Some(0) { "cpu".into() } else { gpus.join("+") }
}

/// How the weights are held, from the names of their buffers.
///
/// Not from what was asked for: on the processor llama.cpp copies some types into a layout that is faster to multiply
/// with, and those pages are this process's own even when the file is mapped.
fn held(buffers: &[String]) -> &'static str {
    let any = |part: &str| buffers.iter().any(|name| name.contains(part));
    let mapped = any("_Mapped");
    let elsewhere = buffers.iter().any(|name| !name.starts_with("CPU") && !name.ends_with("_Mapped"));
    match (mapped, any("CPU_REPACK"), elsewhere) {
        (true, false, false) => "mapped",
        (true, true, false) => "mapped, partly repacked",
        (true, _, true) => "mapped, partly copied",
        (false, true, _) => "read, partly repacked",
        (false, false, _) => "read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_weights_are_held() {
        let held = |names: &[&str]| held(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(held(&["CPU_Mapped"]), "mapped");
        assert_eq!(held(&["CPU_Mapped", "CPU_REPACK"]), "mapped, partly repacked");
        assert_eq!(held(&["CPU_Mapped", "CUDA0"]), "mapped, partly copied");
        assert_eq!(held(&["CPU"]), "read");
        assert_eq!(held(&["CPU", "CPU_REPACK"]), "read, partly repacked");
    }

    #[test]
    fn names_the_device() {
        assert_eq!(device(&[], None), "cpu");
        assert_eq!(device(&["cuda:0".into()], Some(0)), "cpu");
        assert_eq!(device(&["cuda:0".into(), "cuda:1".into()], None), "cuda:0+cuda:1");
    }
}
