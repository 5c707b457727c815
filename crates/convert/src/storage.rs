//! What weights are read from: plain floats, and ggml's blocks.
//!
//! The arithmetic of the blocks is candle's; its blocks are views of the bytes, so these must be aligned.

use std::borrow::Cow;

use candle_core::CpuStorage;
use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use trillm_formats::Element;
use trillm_formats::gguf::TensorType;

use crate::{Dtype, Error, Result};

/// What bytes must be aligned to for [`Storage::decode`]: the largest alignment among candle's blocks.
pub(crate) const ALIGNMENT: usize = 4;

/// How weights lie in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Storage {
    /// One number after the other.
    Plain(Dtype),
    /// Blocks of integers with their scales.
    Blocks(GgmlDType),
}

impl Storage {
    /// The storage of a tensor in a GGUF file.
    pub(crate) fn of_gguf(kind: &TensorType, tensor: &str) -> Result<Self> {
        Ok(match kind.name {
            "F32" => Self::Plain(Dtype::F32),
            "F16" => Self::Plain(Dtype::F16),
            "BF16" => Self::Plain(Dtype::Bf16),
            "Q4_0" => Self::Blocks(GgmlDType::Q4_0),
            "Q4_1" => Self::Blocks(GgmlDType::Q4_1),
            "Q5_0" => Self::Blocks(GgmlDType::Q5_0),
            "Q5_1" => Self::Blocks(GgmlDType::Q5_1),
            "Q8_0" => Self::Blocks(GgmlDType::Q8_0),
            "Q2_K" => Self::Blocks(GgmlDType::Q2K),
            "Q3_K" => Self::Blocks(GgmlDType::Q3K),
            "Q4_K" => Self::Blocks(GgmlDType::Q4K),
            "Q5_K" => Self::Blocks(GgmlDType::Q5K),
            "Q6_K" => Self::Blocks(GgmlDType::Q6K),
            "Q8_K" => Self::Blocks(GgmlDType::Q8K),
            other => {
                return Err(Error::TensorType {
                    tensor: tensor.into(),
                    found: other.into(),
                    expected: "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or Q2_K to Q8_K".into(),
                });
            }
        })
    }

    /// The storage of a tensor in a safetensors or PyTorch file.
    pub(crate) fn of_element(element: Element, tensor: &str) -> Result<Self> {
        Ok(Self::Plain(match element {
            Element::F32 => Dtype::F32,
            Element::F16 => Dtype::F16,
            Element::Bf16 => Dtype::Bf16,
            other => {
                return Err(Error::TensorType {
                    tensor: tensor.into(),
                    found: format!("{other:?}"),
                    expected: "F32, F16 or BF16".into(),
                });
            }
        }))
    }

    /// Bytes of `weights` weights, a multiple of [`block`](Self::block).
    pub(crate) fn bytes(self, weights: u64) -> u64 {
        match self {
            Self::Plain(dtype) => weights * dtype.bytes(),
            Self::Blocks(kind) => weights / kind.block_size() as u64 * kind.type_size() as u64,
        }
    }

    /// Weights that cannot be told apart from their neighbours.
    pub(crate) fn block(self) -> u64 {
        match self {
            Self::Plain(_) => 1,
            Self::Blocks(kind) => kind.block_size() as u64,
        }
    }

    /// The `weights` weights that `bytes` hold, whole blocks aligned to [`ALIGNMENT`].
    pub(crate) fn decode(self, bytes: &[u8], weights: usize) -> Result<Vec<f32>> {
        Ok(match self {
            Self::Plain(Dtype::F32) => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            Self::Plain(Dtype::F16) => {
                bytes.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect()
            }
            Self::Plain(Dtype::Bf16) => {
                bytes.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect()
            }
            Self::Blocks(kind) => match kind.from_data(Cow::Borrowed(bytes)).dequantize(weights) {
                Ok(CpuStorage::F32(weights)) => weights,
                // It only ever makes 32-bit floats, and says so by its type alone.
                other => {
                    let found = other.map_or_else(|error| error.to_string(), |_| "not 32-bit floats".into());
                    return Err(Error::unsupported(format!("a block of {kind:?}"), found, "32-bit floats"));
                }
            },
        })
    }
}
