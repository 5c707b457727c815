//! The only names that a pickle may say: what state dicts are made of.

use crate::{Element, Error, Result};

/// A name that is known. It stands for a kind of value to build; nothing of that name exists here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::torch) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`, and `_v3`, which has the element type as an argument.
    RebuildTensor {
        /// Whether it is `_v3`.
        typed: bool,
    },
    /// `torch._utils._rebuild_parameter`: the tensor itself.
    RebuildParameter,
    /// `torch.Size`: a tuple.
    Size,
    /// `torch.FloatStorage` and others; `None` is bytes (`torch.storage.UntypedStorage`).
    Storage(Option<Element>),
    /// `torch.float32` and others.
    Dtype(Element),
}

/// Names in the module `torch`.
const TORCH: &[(&str, Global)] = &[
    ("Size", Global::Size),
    ("DoubleStorage", Global::Storage(Some(Element::F64))),
    ("FloatStorage", Global::Storage(Some(Element::F32))),
    ("HalfStorage", Global::Storage(Some(Element::F16))),
    ("BFloat16Storage", Global::Storage(Some(Element::Bf16))),
    ("LongStorage", Global::Storage(Some(Element::I64))),
    ("IntStorage", Global::Storage(Some(Element::I32))),
    ("ShortStorage", Global::Storage(Some(Element::I16))),
    ("CharStorage", Global::Storage(Some(Element::I8))),
    ("ByteStorage", Global::Storage(Some(Element::U8))),
    ("BoolStorage", Global::Storage(Some(Element::Bool))),
    ("float64", Global::Dtype(Element::F64)),
    ("float32", Global::Dtype(Element::F32)),
    ("float16", Global::Dtype(Element::F16)),
    ("bfloat16", Global::Dtype(Element::Bf16)),
    ("float8_e4m3fn", Global::Dtype(Element::F8E4M3)),
    ("float8_e5m2", Global::Dtype(Element::F8E5M2)),
    ("int64", Global::Dtype(Element::I64)),
    ("int32", Global::Dtype(Element::I32)),
    ("int16", Global::Dtype(Element::I16)),
    ("int8", Global::Dtype(Element::I8)),
    ("uint64", Global::Dtype(Element::U64)),
    ("uint32", Global::Dtype(Element::U32)),
    ("uint16", Global::Dtype(Element::U16)),
    ("uint8", Global::Dtype(Element::U8)),
    ("bool", Global::Dtype(Element::Bool)),
];

impl Global {
    /// The value for a name, or the error that says it.
    pub(super) fn find(module: &str, name: &str) -> Result<Self> {
        let found = match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor { typed: false }),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Self::RebuildTensor { typed: true }),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch.storage" | "torch", "UntypedStorage") => Some(Self::Storage(None)),
            ("torch", name) => TORCH.iter().find(|(known, _)| *known == name).map(|(_, global)| *global),
            _ => None,
        };
        found.ok_or_else(|| refused(&format!("{module}.{name}")))
    }
}

/// The error for a name, which is shown without what a terminal would obey, and short.
pub(super) fn refused(name: &str) -> Error {
    const SHOWN: usize = 120;
    let mut shown: String = name.escape_debug().take(SHOWN).collect();
    if name.chars().count() > SHOWN {
        shown.push('…');
    }
    Error::Global { name: shown }
}
