//! What the tests share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use trillm_convert::{Convert, Dtype, Report, Result, Target, convert};
use trillm_core::Defaults;
use trillm_formats::{Checkpoint, Gguf};

/// Converts without looking at the progress.
pub fn run(source: &Path, destination: &Path, to: Target, dtype: Dtype) -> Result<Report> {
    let options = Convert { to, dtype, overwrite: false, published: Defaults::default() };
    convert(source, destination, &options, &mut |_| true)
}

/// All tensors of a Hugging Face folder: their shapes, and their bytes.
pub fn tensors_of_folder(folder: &Path) -> BTreeMap<String, (Vec<u64>, Vec<u8>)> {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let files: Vec<Vec<u8>> = checkpoint.files.iter().map(|file| fs::read(&file.path).unwrap()).collect();
    let of = |tensor: &trillm_formats::Tensor| {
        let start = tensor.offset as usize;
        (tensor.shape.clone(), files[tensor.file][start..start + tensor.bytes as usize].to_vec())
    };
    checkpoint.tensors.iter().map(|(name, tensor)| (name.clone(), of(tensor))).collect()
}

/// All tensors of a GGUF file: their type and dimensions, and their bytes.
pub fn tensors_of_gguf(path: &Path) -> BTreeMap<String, (String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    let of = |tensor: &trillm_formats::gguf::Tensor<'_>| {
        let start = (gguf.data_offset() + tensor.offset) as usize;
        let kind = format!("{} {:?}", tensor.kind.name, tensor.dims);
        (kind, bytes[start..start + tensor.bytes as usize].to_vec())
    };
    gguf.tensors().iter().map(|tensor| (tensor.name.to_owned(), of(tensor))).collect()
}

/// The keys of a GGUF file, spelled out.
pub fn keys_of_gguf(path: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    gguf.keys().map(|(key, value)| (key.to_owned(), format!("{value:?}"))).collect()
}
