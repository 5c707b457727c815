//! What weights are written in.

use half::{bf16, f16};

use crate::{Error, Result};

/// Type of the weights that are written. Vectors in GGUF are F32 whatever is asked for, as llama.cpp wants them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dtype {
    /// 16 bits with the exponent of a 32-bit float: what most models were trained in.
    Bf16,
    /// 16 bits with a longer fraction; holds numbers to 65504.
    F16,
    /// 32 bits: loses nothing.
    F32,
}

impl Dtype {
    /// Bytes of one weight.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// The name that safetensors and GGUF share.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
            Self::F32 => "F32",
        }
    }

    /// Appends `weights`, rounded to the nearest, to `out`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a finite weight that would become infinite; `tensor` names it.
    pub(crate) fn encode(self, weights: &[f32], tensor: &str, out: &mut Vec<u8>) -> Result<()> {
        let too_large = |weight: f32, limit: f32| Error::OutOfRange {
            tensor: tensor.into(),
            found: weight,
            limit,
            dtype: self.name(),
        };
        match self {
            Self::F32 => out.extend(weights.iter().flat_map(|weight| weight.to_le_bytes())),
            Self::Bf16 => {
                for &weight in weights {
                    let rounded = bf16::from_f32(weight);
                    if rounded.is_infinite() && weight.is_finite() {
                        return Err(too_large(weight, bf16::MAX.to_f32()));
                    }
                    out.extend(rounded.to_le_bytes());
                }
            }
            Self::F16 => {
                for &weight in weights {
                    let rounded = f16::from_f32(weight);
                    if rounded.is_infinite() && weight.is_finite() {
                        return Err(too_large(weight, f16::MAX.to_f32()));
                    }
                    out.extend(rounded.to_le_bytes());
                }
            }
        }
        Ok(())
    }
}
