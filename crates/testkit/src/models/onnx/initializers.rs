//! The weights, as a graph holds them.

use std::io;

use super::array::Array;
use super::form::OnnxForm;
use super::fused::packed_name;
use crate::models::element::Element;
use crate::models::huggingface::{HuggingFace, tensor_name};
use crate::models::weights::{Part, Tensor};

/// The weights of a form by name. Matrices are `[inputs, outputs]`, as `MatMul` wants them; those of queries, keys and
/// values are one, side by side, in [`OnnxForm::Shared`].
pub(super) fn initializers(model: &HuggingFace, form: OnnxForm) -> io::Result<Vec<(String, Array)>> {
    let packed = form == OnnxForm::Shared;
    let projected = |tensor: &Tensor| matches!(tensor.part, Part::Query | Part::Key | Part::Value);
    let mut tensors = model.shape.tensors();
    tensors.retain(|tensor| !form.gives_vectors() || tensor.part != Part::Output);
    tensors.chunk_by(|a, b| packed && projected(a) && projected(b)).map(|group| initializer(model, group)).collect()
}

/// Tensors that are one weight: their rows one after the other.
fn initializer(model: &HuggingFace, group: &[Tensor]) -> io::Result<(String, Array)> {
    let Tensor { part, layer, columns, .. } = group[0];
    let mut data = Vec::new();
    for tensor in group {
        model.fill(tensor, &Element::F32, &mut data)?;
    }
    let rows = group.iter().map(|tensor| tensor.rows).sum();
    let array = match part {
        _ if group[0].is_norm() => Array::of_bytes(&[columns], data),
        // Rows of it are taken, by token.
        Part::Embedding => Array::of_bytes(&[rows, columns], data),
        _ => Array::of_bytes(&[columns, rows], transposed(&data, columns as usize)),
    };
    let name = match layer {
        Some(layer) if group.len() > 1 => packed_name(layer),
        _ => tensor_name(part, layer),
    };
    Ok((name, array))
}

/// A matrix of 32-bit numbers, column after column.
fn transposed(data: &[u8], columns: usize) -> Vec<u8> {
    let (numbers, _) = data.as_chunks::<4>();
    (0..columns).flat_map(|column| numbers[column..].iter().step_by(columns)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_turned() {
        let bytes = |numbers: [u32; 6]| numbers.map(u32::to_le_bytes).concat();
        assert_eq!(transposed(&bytes([1, 2, 3, 4, 5, 6]), 3), bytes([1, 4, 2, 5, 3, 6]));
    }
}
