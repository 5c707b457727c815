//! Whether the tensors can be computed with: their types, their alignment, and the one that all models have.

use super::Gguf;
use super::tensor::Tensor;
use crate::{Error, Result};

/// `TENSOR_ALIGNMENT` of ggml: what the address of mapped weights must be a multiple of, or ggml aborts.
const MAPPED_ALIGNMENT: u64 = 32;

/// Parts of the names of matrices that are added or multiplied element by element (`LLM_TENSOR_INFOS` in
/// `llama-arch.cpp`). ggml has these operations for F32 only and aborts on others; converters write F32.
const ELEMENTWISE: &[&str] = &[
    "_norm.",
    ".channel_mix_lerp",
    ".ple_conv1d",
    ".shortconv.conv",
    ".ssm_a",
    ".ssm_conv1d",
    ".ssm_d.",
    ".time_mix_first",
    ".time_mix_lerp",
    ".time_mix_r_k",
];

/// Checks every tensor of one file.
pub(crate) fn check(gguf: &Gguf<'_>) -> Result<()> {
    for tensor in gguf.tensors() {
        let wrong = |found: String, expected: &str| {
            Err(Error::Tensor { name: tensor.name.into(), found, expected: expected.into() })
        };
        let offset = gguf.data_offset() + tensor.offset;
        if !offset.is_multiple_of(MAPPED_ALIGNMENT) {
            return wrong(format!("its data at offset {offset} of the file"), "a multiple of 32");
        }
        if is_elementwise(tensor) && tensor.kind.name != "F32" {
            return wrong(format!("the type {}", tensor.kind.name), "F32, as for all vectors");
        }
        // A table of expert numbers: the one matrix of integers that any architecture has.
        let table = tensor.kind.name == "I32" && tensor.name.contains("tid2eid");
        if !tensor.kind.multiplies && !table {
            return wrong(format!("the type {}", tensor.kind.name), "a type that matrices can be multiplied in");
        }
    }
    Ok(())
}

/// Checks that there is one vector for each token of the vocabulary.
pub(crate) fn embedding<'a>(
    tensors: impl IntoIterator<Item = &'a Tensor<'a>>,
    width: u32,
    vocabulary: u32,
) -> Result<()> {
    const NAME: &str = "token_embd.weight";
    let shape = [u64::from(width), u64::from(vocabulary), 1, 1];
    let expected = || format!("the shape [{width}, {vocabulary}]: the width and the number of tokens");
    match tensors.into_iter().find(|tensor| tensor.name == NAME) {
        None => Err(Error::MissingTensor { name: NAME.into(), expected: expected() }),
        Some(tensor) if tensor.dims != shape => Err(Error::Tensor {
            name: NAME.into(),
            found: format!("the shape {:?}", &tensor.dims[..tensor.rank as usize]),
            expected: expected(),
        }),
        Some(_) => Ok(()),
    }
}

fn is_elementwise(tensor: &Tensor<'_>) -> bool {
    let vector = tensor.dims[1..].iter().all(|&dim| dim == 1);
    let is_bias = tensor.name.rsplit_once('.').is_some_and(|(_, part)| part == "bias");
    vector || is_bias || ELEMENTWISE.iter().any(|part| tensor.name.contains(part))
}
