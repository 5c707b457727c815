//! What the files of models are called: names that readers look for, and that whoever fetches a model chooses by.

/// How files with weights end that are models by themselves.
pub const ENDINGS: [&str; 3] = [GGUF, ".onnx", ".safetensors"];

/// How a GGUF file ends.
pub const GGUF: &str = ".gguf";

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

/// The list of a model's parts, of sentence-transformers.
pub const MODULES: &str = "modules.json";

/// What sentence-transformers says of a model as a whole, beside that list.
pub const ABOUT_MODULES: &str = "config_sentence_transformers.json";

/// How a Pooling is configured in models without that list.
pub const POOLING: &str = "1_Pooling/config.json";

/// How texts become tokens, as sentence-transformers says it beside the network: the first that says anything counts.
pub const ABOUT_TOKENS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The small files that belong to weights, beside those of [`ABOUT_TOKENS`].
pub const COMPANIONS: [&str; 17] = [
    // What readers look at.
    "config.json",
    "generation_config.json",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    MODULES,
    POOLING,
    ABOUT_MODULES,
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

/// Whether a GGUF file of this name, without its ending, lies beside models and is none: a projector of images, statistics
/// for quantizing, a draft of a larger model's text, a vocabulary.
pub fn is_beside_models(stem: &str) -> bool {
    let stem = stem.to_lowercase();
    let is_word = || stem.split(['-', '_', '.']).any(|word| word == "draft" || word == "vocab");
    stem.contains("mmproj") || stem.contains("imatrix") || is_word()
}

/// Whether sentence-transformers gives a part of a model a folder of this name: `2_Dense`.
pub fn is_module(folder: &str) -> bool {
    folder.split_once('_').is_some_and(|(number, name)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

/// Whether such a folder holds the network.
pub fn is_network(folder: &str) -> bool {
    is_module(folder) && folder.ends_with("_Transformer")
}
