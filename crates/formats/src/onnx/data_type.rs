//! Types of the numbers in tensors.

/// Element types, numbered as `TensorProto.DataType`. Those that no graph here may use are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the format")]
pub enum DataType {
    F32 = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    Bool = 9,
    F16 = 10,
    F64 = 11,
    U32 = 12,
    U64 = 13,
    Bf16 = 16,
    U4 = 21,
    I4 = 22,
}

/// Each type by its name for messages.
const NAMES: [(&str, DataType); 15] = [
    ("F32", DataType::F32),
    ("UINT8", DataType::U8),
    ("INT8", DataType::I8),
    ("UINT16", DataType::U16),
    ("INT16", DataType::I16),
    ("INT32", DataType::I32),
    ("INT64", DataType::I64),
    ("BOOL", DataType::Bool),
    ("F16", DataType::F16),
    ("F64", DataType::F64),
    ("UINT32", DataType::U32),
    ("UINT64", DataType::U64),
    ("BF16", DataType::Bf16),
    ("UINT4", DataType::U4),
    ("INT4", DataType::I4),
];

impl DataType {
    /// Its name: `F32`, `INT8`, …
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, element)| *element == self).map_or("", |(name, _)| name)
    }

    /// The type of a number of `TensorProto.DataType`; if it is not used here, what it is called.
    pub(super) fn known(number: i32) -> Result<Self, String> {
        const OTHERS: [(i32, &str); 12] = [
            (0, "UNDEFINED"),
            (8, "STRING"),
            (14, "COMPLEX64"),
            (15, "COMPLEX128"),
            (17, "FLOAT8E4M3FN"),
            (18, "FLOAT8E4M3FNUZ"),
            (19, "FLOAT8E5M2"),
            (20, "FLOAT8E5M2FNUZ"),
            (23, "FLOAT4E2M1"),
            (24, "FLOAT8E8M0"),
            (25, "UINT2"),
            (26, "INT2"),
        ];
        let known = NAMES.iter().map(|(_, element)| *element).find(|element| *element as i32 == number);
        known.ok_or_else(|| {
            let other = OTHERS.iter().find(|(other, _)| *other == number);
            other.map_or_else(|| number.to_string(), |(_, name)| (*name).into())
        })
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// Bytes of a tensor; `None` if they are 2^63 or more. Two numbers of four bits share a byte.
    pub(super) fn bytes(self, shape: &[u64]) -> Option<u64> {
        let elements = shape.iter().try_fold(1u64, |product, &length| product.checked_mul(length));
        // A shape with a zero in it is empty, however long the others are; but the product of the others is asked for
        // by programs that index, so it must be sound too.
        let others = shape.iter().filter(|&&length| length > 0);
        others.into_iter().try_fold(1u64, |product, &length| product.checked_mul(length))?;
        let bits = match self {
            Self::U4 | Self::I4 => 4,
            Self::U8 | Self::I8 | Self::Bool => 8,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 16,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F64 | Self::I64 | Self::U64 => 64,
        };
        let bytes = (u128::from(elements?) * bits).div_ceil(8);
        u64::try_from(bytes).ok().filter(|&bytes| bytes < 1 << 63)
    }

    /// How many numbers (of `raw_data`, 9, bytes) a field must hold for a tensor of this type; `None` if it is not the
    /// field for the type.
    pub(super) fn count(self, field: u32, shape: &[u64], bytes: u64) -> Option<u64> {
        let elements = shape.iter().product();
        match (field, self) {
            (9, _) | (5, Self::U4 | Self::I4) => Some(bytes),
            (4, Self::F32) | (10, Self::F64) | (7, Self::I64) | (11, Self::U32 | Self::U64) => Some(elements),
            (5, Self::I32 | Self::I16 | Self::I8 | Self::U16 | Self::U8 | Self::Bool | Self::F16 | Self::Bf16) => {
                Some(elements)
            }
            _ => None,
        }
    }
}
