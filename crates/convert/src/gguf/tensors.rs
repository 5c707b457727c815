//! The tensors of a GGUF file, as they become those of a Hugging Face folder.

use trillm_formats::Gguf;
use trillm_formats::gguf::Tensor;
use trillm_formats::huggingface::Decoder;

use crate::family::Architecture;
use crate::plan::{Change, Data, Planned, Rotation};
use crate::storage::Storage;
use crate::{Dtype, Error, Result};

/// Tensors that say how positions are rotated. `config.json` holds what they say.
const EXTRA: &[&str] = &["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

/// The one-dimensional tensor `name` of any of `files`, to be read as 32-bit floats.
pub(crate) fn extra(files: &[Gguf<'_>], name: &str) -> Result<Option<Planned>> {
    for (file, gguf) in files.iter().enumerate() {
        if let Some(tensor) = gguf.tensors().iter().find(|tensor| tensor.name == name) {
            let data = data(file, gguf, tensor, Change::Keep)?;
            return Ok(Some(Planned { name: name.into(), shape: vec![tensor.elements()], dtype: Dtype::F32, data }));
        }
    }
    Ok(None)
}

/// What is made of all tensors of `files`, in their order.
pub(crate) fn plan(
    files: &[Gguf<'_>],
    architecture: &Architecture,
    decoder: &Decoder,
    dtype: Dtype,
) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for (file, gguf) in files.iter().enumerate() {
        for tensor in gguf.tensors().iter().filter(|tensor| !EXTRA.contains(&tensor.name)) {
            let name = architecture.to_huggingface(tensor.name).ok_or_else(|| Error::TensorName {
                tensor: tensor.name.into(),
                format: "safetensors",
                architecture: architecture.gguf.into(),
            })?;
            let shape: Vec<u64> = tensor.dims[..tensor.rank as usize].iter().rev().copied().collect();
            let change = change(architecture, decoder, &name, shape[0], Rotation::Halves)?;
            planned.push(Planned { name, shape, dtype, data: data(file, gguf, tensor, change)? });
        }
    }
    Ok(planned)
}

fn data(file: usize, gguf: &Gguf<'_>, tensor: &Tensor<'_>, change: Change) -> Result<Data> {
    let storage = Storage::of_gguf(tensor.kind, tensor.name)?;
    Ok(Data::File { file, offset: gguf.data_offset() + tensor.offset, storage, change, strided: None })
}

/// What happens to the tensor that Hugging Face calls `name`, in the direction that `rotation` says.
pub(crate) fn change(
    architecture: &Architecture,
    decoder: &Decoder,
    name: &str,
    rows: u64,
    rotation: Rotation,
) -> Result<Change> {
    let part = name.rsplit_once('.').map_or(name, |(part, _)| part);
    let heads = if part.ends_with(".q_proj") { decoder.heads } else { decoder.kv_heads };
    if architecture.moves_rows && (part.ends_with(".q_proj") || part.ends_with(".k_proj")) {
        let heads = u64::from(heads);
        if heads == 0 || !rows.is_multiple_of(2 * heads) {
            let expected = format!("a multiple of 2 for each of {heads} heads");
            return Err(Error::unsupported(format!("the number of rows of {name}"), rows, expected));
        }
        return Ok(Change::Rows(rotation, heads));
    }
    if architecture.norm_adds_one() && part.ends_with("norm") {
        return Ok(Change::Add(if rotation == Rotation::Halves { -1.0 } else { 1.0 }));
    }
    Ok(Change::Keep)
}
