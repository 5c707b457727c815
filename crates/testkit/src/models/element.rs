//! How a number is stored, apart from any file format.

use std::io;

use super::float::{bfloat, half};
use super::gguf::TensorType;

/// An element type: its encoding, and the name that each format has for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// Bytes of one number.
    pub(super) bytes: u64,
    /// In `config.json`.
    pub(super) config: &'static str,
    /// In the header of a safetensors file.
    pub(super) safetensors: &'static str,
    /// The class of a storage, as the opcode for globals spells it: module and name, each ended by a newline.
    pub(super) pytorch: &'static str,
    /// Appends a number, rounded to nearest.
    pub(super) put: fn(f32, &mut Vec<u8>),
}

impl Element {
    pub(super) const F32: Self = Self {
        bytes: 4,
        config: "float32",
        safetensors: "F32",
        pytorch: "torch\nFloatStorage\n",
        put: |weight, out| out.extend(weight.to_le_bytes()),
    };

    const F16: Self = Self {
        bytes: 2,
        config: "float16",
        safetensors: "F16",
        pytorch: "torch\nHalfStorage\n",
        put: |weight, out| out.extend(half(weight).to_le_bytes()),
    };

    const BF16: Self = Self {
        bytes: 2,
        config: "bfloat16",
        safetensors: "BF16",
        pytorch: "torch\nBFloat16Storage\n",
        put: |weight, out| out.extend(bfloat(weight).to_le_bytes()),
    };

    /// The type of this name in GGUF. An error of the kind `InvalidInput` for blocks, whose numbers are not stored one
    /// by one.
    pub(super) fn of(kind: TensorType) -> io::Result<Self> {
        match kind {
            TensorType::F32 => Ok(Self::F32),
            TensorType::F16 => Ok(Self::F16),
            TensorType::Bf16 => Ok(Self::BF16),
            TensorType::Q8_0 => {
                let reason = "weights are q8_0, expected f32, f16 or bf16 for the layout of Hugging Face";
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
        }
    }
}
