//! Element types as they lie in memory.

use half::f16;
use trillm_formats::onnx::DataType;

/// Bytes of an element of a tensor that is run: none of the packed types is.
pub(crate) fn width(element: DataType) -> usize {
    match element {
        DataType::F64 | DataType::I64 | DataType::U64 => 8,
        DataType::F32 | DataType::I32 | DataType::U32 => 4,
        DataType::F16 | DataType::Bf16 | DataType::I16 | DataType::U16 => size_of::<f16>(),
        DataType::U8 | DataType::I8 | DataType::Bool | DataType::U4 | DataType::I4 => 1,
    }
}
