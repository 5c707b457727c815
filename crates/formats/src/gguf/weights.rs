//! Whether the tensors can be computed with: their types, their alignment, and the one that all models have; and which of
//! them are matrices that rows are multiplied with.

use trillm_core::Product;

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

/// The token embedding: the matrix of the scores, too, where there is no other.
const EMBEDDING: &str = "token_embd.weight";

/// The matrix that gives the scores.
const OUTPUT: &str = "output.weight";

/// Tables whose rows are looked up, by the beginnings of their names.
const TABLES: &[&str] = &["token_embd.", "token_types.", "position_embd.", "per_layer_token_embd.", "rope_factors_"];

/// The matrices that rows are multiplied with, of a model that gives `scores` or does not.
pub(crate) fn products<'t>(tensors: &'t [&Tensor<'_>], scores: bool) -> impl Iterator<Item = Product> + use<'t> {
    let tied = scores && tensors.iter().all(|tensor| tensor.name != OUTPUT);
    let multiplies = move |tensor: &Tensor<'_>| {
        let is_table = TABLES.iter().any(|name| tensor.name.starts_with(name));
        !is_elementwise(tensor) && (!is_table || tied && tensor.name == EMBEDDING)
    };
    tensors.iter().filter(move |tensor| multiplies(tensor)).map(|tensor| Product {
        kind: tensor.kind.name.into(),
        rows: tensor.dims[1],
        columns: tensor.dims[0],
        experts: tensor.dims[2] * tensor.dims[3],
        bytes: tensor.bytes,
    })
}

/// Checks that there is one vector for each token of the vocabulary.
pub(crate) fn embedding<'a>(
    tensors: impl IntoIterator<Item = &'a Tensor<'a>>,
    width: u32,
    vocabulary: u32,
) -> Result<()> {
    let shape = [u64::from(width), u64::from(vocabulary), 1, 1];
    let expected = || format!("the shape [{width}, {vocabulary}]: the width and the number of tokens");
    match tensors.into_iter().find(|tensor| tensor.name == EMBEDDING) {
        None => Err(Error::MissingTensor { name: EMBEDDING.into(), expected: expected() }),
        Some(tensor) if tensor.dims != shape => Err(Error::Tensor {
            name: EMBEDDING.into(),
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
