//! What is known of a loaded model: nothing an engine decided is hidden from here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{ChatTemplates, Defaults, Pooling};

/// Facts about a model and about how it was loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The model's own name for itself, or the file's.
    pub name: String,
    /// The file, or the first of several.
    pub path: PathBuf,
    /// File format: `gguf`, …
    pub format: &'static str,
    /// Architecture, as the file says it: `llama`, `qwen3`, …
    pub architecture: String,
    /// Bytes of all the model's files.
    pub bytes: u64,
    /// Number of weights.
    pub parameters: u64,
    /// The type most weights are stored in: `Q4_K`, `F16`, …
    pub quantization: String,
    /// The longest sequence the model was trained for, in tokens.
    pub context_trained: u32,
    /// Width of the hidden state, and of an embedding.
    pub width: u32,
    /// Number of layers.
    pub layers: u32,
    /// Number of tokens in the vocabulary.
    pub vocabulary: u32,
    /// The model's chat templates (Jinja).
    pub chat_templates: ChatTemplates,
    /// How tokens with a task are spelled, by the names that chat templates know them by: `bos_token`, `pad_token`, …
    pub special_tokens: BTreeMap<String, String>,
    /// How the model's publisher says it is used best.
    pub defaults: Defaults,
    /// The system message given to chats that have none; `None` leaves that to the template.
    pub system: Option<String>,
    /// Pooling for embeddings: what the file asks for.
    pub pooling: Option<Pooling>,
    /// Licence, as the file says it.
    pub license: Option<String>,
    /// The engine that runs it; empty before loading.
    pub engine: &'static str,
    /// Where the weights are computed: `cpu`, `cuda:0`, …; empty before loading.
    pub device: String,
    /// How the weights are held: `mapped`, `read`, …; empty before loading.
    pub weights: &'static str,
    /// What the reader should know: keys ignored, repairs made, limits hit.
    pub notes: Vec<String>,
}
