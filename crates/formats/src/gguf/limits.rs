//! Upper bounds that real files stay far below. They keep a hostile header from costing time or memory.

/// Metadata keys.
pub(crate) const KEYS: u64 = 65_536;
/// Tensors in one file.
pub(crate) const TENSORS: u64 = 65_536;
/// Bytes of a key: the format's own limit.
pub(crate) const KEY: u64 = 65_535;
/// Bytes of a tensor's name: one less than `GGML_MAX_NAME`, which counts a closing zero.
pub(crate) const TENSOR_NAME: u64 = 63;
/// Bytes of a string.
pub(crate) const STRING: u64 = 16 << 20;
/// Elements of an array. The largest vocabularies have a quarter million tokens and half a million merges.
pub(crate) const ARRAY: u64 = 4 << 20;
/// Bytes of all that stands before the weights.
pub(crate) const HEADER: u64 = 512 << 20;
/// Bytes of a chat template.
pub(crate) const CHAT_TEMPLATE: usize = 1 << 20;
/// Chat templates with a name.
pub(crate) const CHAT_TEMPLATES: usize = 64;
/// Bytes that tensors are aligned to: memory pages come in at most 64 KiB, and this leaves room.
pub(crate) const ALIGNMENT: u32 = 1 << 20;
/// Files of a split model.
pub(crate) const SHARDS: u16 = 1024;
/// Layers: `LLAMA_MAX_LAYERS`.
pub(crate) const LAYERS: u32 = 512;
/// Experts: `LLAMA_MAX_EXPERTS`.
pub(crate) const EXPERTS: u32 = 1024;
/// The widest hidden state, forty times that of the widest model known; it keeps products of two sizes in 64 bits.
pub(crate) const WIDTH: u32 = 1 << 20;
/// Positions, which are `int32_t` in llama.cpp.
pub(crate) const CONTEXT: u32 = i32::MAX as u32;
