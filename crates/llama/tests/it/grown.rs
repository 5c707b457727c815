//! Models of any architecture, grown from what our reader and llama.cpp miss in them: they name a tensor, and llama.cpp
//! its sizes. So no list of tensors here has to follow its source. All weights are zeros.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use trillm_core::{Engine, LoadOptions, Model};
use trillm_llama::Llama;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::{Gguf, TensorInfo, TensorType, Value};

/// The tiny model's header as one of another architecture, with these keys of it besides, and without tensors.
pub(crate) fn header(architecture: &str, keys: &[(&str, Value)]) -> Gguf {
    let file = TinyLlama::default().gguf().architecture("llama", architecture);
    let file = file.with(|file| file.tensors.truncate(1));
    keys.iter().fold(file, |file, (key, value)| file.key(&format!("{architecture}.{key}"), value.clone()))
}

/// Adds tensors until it loads.
pub(crate) fn grow(mut file: Gguf, path: &Path) -> (Gguf, Arc<dyn Model>) {
    // Each is asked for once by its name, and once for its sizes.
    for _ in 0..2000 {
        fs::write(path, file.bytes()).expect("it is written");
        let said = match tried(path) {
            Ok(model) => return (file, model),
            Err(said) => said,
        };
        file = match (named(&said), sizes(&said)) {
            (Some(name), Some(sizes)) => {
                let grown = Gguf::default().tensor(name, &sizes, TensorType::F32).tensors.remove(0);
                file.change(name, |tensor: &mut TensorInfo| *tensor = grown)
            }
            (Some(name), None) if ["not found", "missing"].iter().any(|word| said.contains(word)) => {
                let known = file.tensors.iter().find(|other| part(&other.name) == part(name));
                let dimensions = known.map_or(vec![1], |other| other.dimensions.clone());
                file.tensor(name, &dimensions, TensorType::F32)
            }
            _ => panic!("{said}"),
        };
    }
    panic!("it is never done")
}

/// Loads a model, or tells what is said against it.
pub(crate) fn tried(path: &Path) -> Result<Arc<dyn Model>, String> {
    let read = trillm_formats::open(path).map_err(|error| error.to_string())?;
    Llama.load(read, &LoadOptions::default()).map_err(|error| error.to_string())
}

/// A tensor's name without the number of its layer.
fn part(name: &str) -> &str {
    name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).map_or(name, |(_, part)| part)
}

/// The tensor that llama.cpp speaks of, or our reader.
fn named(said: &str) -> Option<&str> {
    let (_, name) = said.split_once("tensor '").or(said.split_once("the tensor "))?;
    name.split(['\'', ' ']).next()
}

/// What llama.cpp expected of a tensor.
fn sizes(said: &str) -> Option<Vec<u64>> {
    let (sizes, _) = said.split_once("wrong shape; expected ")?.1.split_once(", got")?;
    sizes.split(',').map(|size| size.trim().parse().ok()).collect()
}
