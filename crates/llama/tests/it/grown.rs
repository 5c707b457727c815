//! Models of any architecture, grown from what llama.cpp misses in them: it names a tensor, and then its sizes. So no
//! list of tensors of ours has to follow its source. All weights are zeros: these are for what is allocated.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use trillm_core::{LoadOptions, Model};
use trillm_testkit::TinyLlama;
use trillm_testkit::models::gguf::{Gguf, TensorInfo, TensorType, Value};

use crate::common::load;

/// The tiny model's header as one of another architecture, with these keys of it besides, and without tensors.
pub(crate) fn header(architecture: &str, keys: &[(&str, Value)]) -> Gguf {
    let file = TinyLlama::default().gguf().architecture("llama", architecture);
    let file = file.with(|file| file.tensors.truncate(1));
    keys.iter().fold(file, |file, (key, value)| file.key(&format!("{architecture}.{key}"), value.clone()))
}

/// Adds tensors until it loads.
pub(crate) fn grow(mut file: Gguf, path: &Path) -> Arc<dyn Model> {
    // Each is asked for once by its name, and once for its sizes.
    for _ in 0..2000 {
        fs::write(path, file.bytes()).expect("it is written");
        let said = match load(path, &LoadOptions::default()) {
            Ok(model) => return model,
            Err(error) => error.to_string(),
        };
        file = match (named(&said), sizes(&said)) {
            (Some(name), Some(sizes)) => {
                let grown = Gguf::default().tensor(name, &sizes, TensorType::F32).tensors.remove(0);
                file.change(name, |tensor: &mut TensorInfo| *tensor = grown)
            }
            (Some(name), None) if said.contains("not found") || said.contains("missing tensor") => {
                let known = file.tensors.iter().find(|other| part(&other.name) == part(name));
                let dimensions = known.map_or(vec![1], |other| other.dimensions.clone());
                file.tensor(name, &dimensions, TensorType::F32)
            }
            _ => panic!("{said}"),
        };
    }
    panic!("it is never done")
}

/// A tensor's name without the number of its layer.
fn part(name: &str) -> &str {
    name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).map_or(name, |(_, part)| part)
}

/// The tensor that llama.cpp speaks of.
fn named(said: &str) -> Option<&str> {
    said.split_once("tensor '")?.1.split_once('\'').map(|(name, _)| name)
}

/// What llama.cpp expected of a tensor.
fn sizes(said: &str) -> Option<Vec<u64>> {
    let (sizes, _) = said.split_once("wrong shape; expected ")?.1.split_once(", got")?;
    sizes.split(',').map(|size| size.trim().parse().ok()).collect()
}
