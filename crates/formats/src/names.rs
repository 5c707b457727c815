//! What the files of models are called: names that readers look for, and that whoever fetches a model chooses by.

/// How files with weights end that are models by themselves.
pub const ENDINGS: [&str; 3] = [".gguf", ".onnx", ".safetensors"];

/// Weights that a folder stands for.
pub const SAFETENSORS: &str = "model.safetensors";

/// The index of those in several files.
pub const SAFETENSORS_INDEX: &str = "model.safetensors.index.json";

/// Weights that a folder stands for, of PyTorch.
pub const PYTORCH: &str = "pytorch_model.bin";

/// The index of those in several files.
pub const PYTORCH_INDEX: &str = "pytorch_model.bin.index.json";

/// The folder of chat templates with a name.
pub const TEMPLATES: &str = "additional_chat_templates";

/// The small files that belong to weights.
pub const COMPANIONS: [&str; 18] = [
    // What readers look at.
    "config.json",
    "generation_config.json",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    // Tokenizers that are not read, so that the error can say which it is.
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    // What others need who open the model where it is kept.
    "added_tokens.json",
    "merges.txt",
    "chat_template.json",
];

/// Whether trainers leave a file of this name beside the weights.
pub fn is_left_behind(name: &str) -> bool {
    ["training_args", "optimizer", "scheduler", "rng_state"].iter().any(|start| name.starts_with(start))
}

/// Whether sentence-transformers keeps in a folder of this name what comes after the model: `2_Dense`.
pub fn is_module(folder: &str) -> bool {
    folder.split_once('_').is_some_and(|(number, name)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}
