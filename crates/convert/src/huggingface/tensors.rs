//! The tensors of a Hugging Face folder, as they become those of a GGUF file.

use trillm_formats::Checkpoint;
use trillm_formats::huggingface::Decoder;

use crate::family::Architecture;
use crate::gguf::change;
use crate::plan::{Data, Planned, Rotation};
use crate::storage::Storage;
use crate::{Dtype, Error, Result};

/// Parts of names of tensors that are not weights of the text model: buffers, and the image part of Gemma 3.
const LEFT_OUT: &[&str] = &["rotary_emb.inv_freq", "vision_tower.", "multi_modal_projector.", "vision_model."];

/// What is made of all tensors of `checkpoint`, in the order of their data. What is left out is said in `notes`.
pub(crate) fn plan(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    decoder: &Decoder,
    dtype: Dtype,
    notes: &mut Vec<String>,
) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    let mut left_out = 0;
    for (name, tensor) in &checkpoint.tensors {
        if LEFT_OUT.iter().any(|part| name.contains(part)) {
            left_out += 1;
            continue;
        }
        // The output matrix of a tied model is the embedding under another name.
        if decoder.tied && name == "lm_head.weight" {
            continue;
        }
        let new = architecture.to_gguf(name).ok_or_else(|| Error::TensorName {
            tensor: name.clone(),
            format: "GGUF",
            architecture: architecture.gguf.into(),
        })?;
        if !(1..=2).contains(&tensor.shape.len()) {
            let found = format!("{:?}", tensor.shape);
            return Err(Error::unsupported(format!("the shape of {name}"), found, "one or two dimensions"));
        }
        let change = change(architecture, decoder, name, tensor.shape[0], Rotation::Neighbours)?;
        let storage = Storage::of_element(tensor.element, name)?;
        // llama.cpp computes with vectors in F32 alone.
        let dtype = if tensor.shape.len() == 1 { Dtype::F32 } else { dtype };
        let strided = tensor.strides.is_some().then(|| tensor.clone());
        let data = Data::File { file: tensor.file, offset: tensor.offset, storage, change, strided };
        planned.push((tensor.file, tensor.offset, Planned { name: new, shape: tensor.shape.clone(), dtype, data }));
    }
    if left_out > 0 {
        notes.push(format!("{left_out} tensors that are not weights of the text model were left out"));
    }
    planned.sort_by_key(|(file, offset, _)| (*file, *offset));
    Ok(planned.into_iter().map(|(_, _, planned)| planned).collect())
}
