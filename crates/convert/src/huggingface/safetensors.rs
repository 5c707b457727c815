//! The header of a safetensors file: a length, then JSON that names each tensor's place.

use serde_json::{Map, json};

use crate::plan::Planned;

/// All bytes before the first tensor's data. The tensors follow in their order, without gaps.
pub(crate) fn header(tensors: &[Planned]) -> Vec<u8> {
    let mut entries = Map::new();
    // What transformers asks for before it reads a file.
    entries.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.bytes();
        let entry = json!({ "dtype": tensor.dtype.name(), "shape": tensor.shape, "data_offsets": [start, end] });
        entries.insert(tensor.name.clone(), entry);
        start = end;
    }
    let mut json = serde_json::Value::from(entries).to_string().into_bytes();
    // Spaces up to a multiple of eight keep the data aligned, as the format recommends.
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json);
    out
}
