//! Writes safetensors: the length of a JSON header, the header, then the tensors one after the other.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Map, json};

use super::element::Element;

/// Writes a file whose tensors are all of one type; `fill` writes the data of each, given by index. Dimensions have the
/// outermost first.
pub(super) fn write(
    path: &Path,
    element: &Element,
    tensors: &[(String, Vec<u64>)],
    mut fill: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let (mut header, mut end) = (Map::new(), 0);
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    for (name, dimensions) in tensors {
        let start = end;
        end += dimensions.iter().product::<u64>() * element.bytes;
        let entry = json!({ "dtype": element.safetensors, "shape": dimensions, "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&header)?;
    // The first tensor begins at a multiple of eight, as the format asks for.
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for index in 0..tensors.len() {
        fill(index, &mut out)?;
    }
    out.into_inner()?.sync_all()
}
