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

/// Adds a key to a GGUF file: its name, the number of its type, and its bytes.
pub fn add_key(path: &Path, name: &str, kind: u32, value: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let text = |text: &[u8]| [&(text.len() as u64).to_le_bytes()[..], text].concat();
    let mut key = [text(name.as_bytes()), kind.to_le_bytes().to_vec(), value.to_vec()].concat();
    // A second key fills up, so that tensors stay where they are aligned: a name, the number of a type, and a text.
    let mut filler = [text(format!("{name}.filler").as_bytes()), 8u32.to_le_bytes().to_vec()].concat();
    let length = (key.len() + filler.len() + 8).next_multiple_of(32) - key.len() - filler.len() - 8;
    filler.extend(text(&vec![b'.'; length]));
    key.extend(filler);
    let count = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + 2;
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    bytes.splice(24..24, key);
    fs::write(path, bytes).unwrap();
}

/// Adds a tensor of zeros in bf16 to a safetensors file.
pub fn add_tensor(path: &Path, name: &str, shape: &[u64]) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let start = bytes.len() - 8 - length;
    let zeros = vec![0; 2 * shape.iter().product::<u64>() as usize];
    let offsets = [start, start + zeros.len()];
    header[name] = serde_json::json!({ "dtype": "BF16", "shape": shape, "data_offsets": offsets });
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let before = (header.len() as u64).to_le_bytes();
    fs::write(path, [&before[..], &header, &bytes[8 + length..], &zeros].concat()).unwrap();
}
