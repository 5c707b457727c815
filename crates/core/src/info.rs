//! What is known of a loaded model: nothing an engine decided is hidden from here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{CacheType, ChatTemplates, Defaults, Pipeline, SessionOptions, Shape};

/// What a model is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Purpose {
    /// It generates text.
    #[default]
    Text,
    /// It turns texts into vectors: what would score tokens is not there.
    Vectors,
    /// It scores or labels texts, or parts of them.
    Labels,
}

impl Purpose {
    /// The name used in `info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Vectors => "vectors",
            Self::Labels => "labels",
        }
    }
}

/// Facts about a model and about how it was loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The model's own name for itself, or the file's.
    pub name: String,
    /// The file, or the first of several.
    pub path: PathBuf,
    /// The files after the first, of a model that is split.
    pub others: Vec<PathBuf>,
    /// File format: `gguf`, …
    pub format: &'static str,
    /// Architecture, as the file says it: `llama`, `qwen3`, …
    pub architecture: String,
    /// Bytes of all the model's files.
    pub bytes: u64,
    /// Number of weights.
    pub parameters: u64,
    /// How the weights are stored: by the name of the mix, where the file says one, else the type of most: `Q4_K_M`,
    /// `F16`, …
    pub quantization: String,
    /// The longest sequence the model was trained for, in tokens.
    pub context_trained: u32,
    /// The longest context in which longrope's short factors count; `None` for a model without these.
    pub short_context: Option<u32>,
    /// Width of the hidden state.
    pub width: u32,
    /// Number of layers.
    pub layers: u32,
    /// Number of tokens in the vocabulary.
    pub vocabulary: u32,
    /// What sizes it: the weights by type, and what each layer keeps.
    pub shape: Shape,
    /// The model's chat templates (Jinja).
    pub chat_templates: ChatTemplates,
    /// How tokens with a task are spelled, by the names that chat templates know them by: `bos_token`, `pad_token`, …
    pub special_tokens: BTreeMap<String, String>,
    /// Those that the class of the tokenizer has where no file says it. They count if the vocabulary has them.
    pub usual_tokens: BTreeMap<String, String>,
    /// How the model's publisher says it is used best.
    pub defaults: Defaults,
    /// The system message given to chats that have none; `None` leaves that to the template.
    pub system: Option<String>,
    /// The name of the class that the files were written from: `BertModel`, …; empty if they do not say it.
    pub class: String,
    /// What it is for.
    pub purpose: Purpose,
    /// How texts become vectors; `None` if they do not.
    pub pipeline: Option<Pipeline>,
    /// How pairs of texts become scores; `None` if they do not. A vector has one number for each label then.
    pub scoring: Option<Pipeline>,
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
    /// Of the notes those that whoever runs the model should be told unasked: it may answer worse, or slower.
    pub warnings: Vec<String>,
}

impl ModelInfo {
    /// The ways of pooling that the files ask for, by name.
    pub fn pooling(&self) -> Option<String> {
        self.pipeline.as_ref().filter(|pipeline| pipeline.stated).and_then(Pipeline::pooling_name)
    }

    /// What can be asked of it: `generate`, `chat`, `embed`, `score`.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let generates = self.purpose == Purpose::Text;
        let all = [
            ("generate", generates),
            ("chat", generates && !self.chat_templates.is_empty()),
            ("score", self.scoring.is_some()),
            ("embed", self.pipeline.is_some()),
        ];
        all.into_iter().filter_map(|(name, can)| can.then_some(name)).collect()
    }

    /// Tokens of a context if none is asked for, and the bytes that they take in a cache of 16-bit numbers, if that is
    /// known.
    pub fn cache(&self) -> (u32, Option<u64>) {
        let context = SessionOptions::default().context_for(self.context_trained);
        (context, self.shape.cache_bytes(context.into(), 1, CacheType::F16))
    }

    /// Takes a note of something that whoever runs the model should be told.
    pub fn warn(&mut self, warning: String) {
        self.notes.push(warning.clone());
        self.warnings.push(warning);
    }

    /// What to call the model in an error about what it cannot do: its class, or its architecture.
    pub fn kind(&self) -> &str {
        if self.class.is_empty() { &self.architecture } else { &self.class }
    }
}
