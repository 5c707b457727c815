//! Element types of safetensors and PyTorch files.

/// Element type of a tensor in safetensors and PyTorch files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of the formats")]
pub enum Element {
    F64,
    F32,
    F16,
    Bf16,
    F8E4M3,
    F8E5M2,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

/// Each type by its name in safetensors.
const NAMES: [(&str, Element); 15] = [
    ("F64", Element::F64),
    ("F32", Element::F32),
    ("F16", Element::F16),
    ("BF16", Element::Bf16),
    ("F8_E4M3", Element::F8E4M3),
    ("F8_E5M2", Element::F8E5M2),
    ("I64", Element::I64),
    ("I32", Element::I32),
    ("I16", Element::I16),
    ("I8", Element::I8),
    ("U64", Element::U64),
    ("U32", Element::U32),
    ("U16", Element::U16),
    ("U8", Element::U8),
    ("BOOL", Element::Bool),
];

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> u64 {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F8E4M3 | Self::F8E5M2 | Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The name that safetensors files use: `F32`, `BF16`, …
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, element)| *element == self).map_or("", |(name, _)| name)
    }

    /// The type of a safetensors `dtype`.
    pub(crate) fn of_safetensors(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, element)| *element)
    }

    /// All names, for error messages.
    pub(crate) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }
}
