//! `config.json`: which kind of model, and its sizes.
//!
//! What a key means, and what holds where it is absent, follows transformers. What transformers would do otherwise than
//! we do is an error here, not a guess; a key that changes nothing we know of is left out and named in a note.

use std::path::Path;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{CONFIG, Decoder, Encoder, Family};
use crate::{Error, Result, json};

/// What a `config.json` describes.
#[derive(Clone, PartialEq, Debug)]
pub enum Config {
    /// A model that generates text.
    Decoder(Box<Decoder>),
    /// A model that turns a text into vectors.
    Encoder(Encoder),
}

/// Keys that say nothing about what is computed in families that do not ask for them, or that other readers look at.
const BESIDE: &[&str] = &[
    "_attn_implementation",
    "_name_or_path",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "bos_token_id",
    "cache_implementation",
    "classifier_dropout",
    "dtype",
    "embd_pdrop",
    "eos_token_id",
    "gradient_checkpointing",
    "hidden_act",
    "hidden_dropout_prob",
    "id2label",
    "is_llama_config",
    "initializer_range",
    "label2id",
    "layer_norm_eps",
    "original_max_position_embeddings",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "resid_pdrop",
    "rms_norm_eps",
    "sbert_ce_default_activation_function",
    "sentence_transformers",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "use_cache",
];

/// Keys of the multimodal Gemma 3, whose text part alone is used.
const IMAGES: &[&str] =
    &["boi_token_index", "eoi_token_index", "image_token_index", "mm_tokens_per_image", "vision_config"];

impl Config {
    /// Reads the text of a `config.json`, at most 4 MiB. What the reader should know goes to `notes`.
    ///
    /// # Errors
    /// A model type that is not known, a key that is missing or holds what no model of its type can have.
    pub fn parse(bytes: &[u8], notes: &mut Vec<String>) -> Result<Self> {
        Self::read(&json::object(bytes, CONFIG, "config.json")?, notes)
    }

    /// The same of a file that was parsed.
    pub(crate) fn read(object: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Self> {
        let config = Fields::new(object);
        if config.raw("auto_map").is_some() {
            notes.push("config.json names Python code of its own (auto_map); remote code is never run".into());
        }
        // Weights in such files are packed in ways of their own.
        if let Some(quantization) = config.object("quantization_config")? {
            let method = quantization.text("quant_method")?.unwrap_or("unnamed");
            let what = format!("quantization_config ({method} weights)");
            return Err(Error::Unsupported { what, expected: "weights in BF16, F16 or F32" });
        }
        let name = config.text("model_type")?;
        let name = name.ok_or_else(|| config.missing("model_type", supported()))?;
        let mut unused = Vec::new();
        let read = match (Family::of(name), config.object("text_config")?) {
            (Some(family), Some(text)) if name == "gemma3" => {
                let found = Self::decoder(&text, family, name, true, &mut unused)?;
                notes.push("only the text part of the model is used".into());
                unused.extend(config.unasked(IMAGES));
                // Both parts may say it; the outer one is about the model that is in the file.
                let tied = config.flag("tie_word_embeddings")?.unwrap_or(found.tied);
                Self::Decoder(Box::new(Decoder { tied, ..found }))
            }
            (Some(family), None) => {
                let found = Self::decoder(&config, family, name, false, &mut unused)?;
                Self::Decoder(Box::new(found))
            }
            (Some(_), Some(_)) => return Err(config.wrong("text_config", "an object", "none for this model type")),
            (None, _) if name == "bert" => {
                let found = Encoder::read(&config, name)?;
                unused.extend(config.unasked(&[]));
                Self::Encoder(found)
            }
            (None, _) => return Err(Error::ModelType { name: name.into(), supported: supported() }),
        };
        unused.retain(|key| !BESIDE.contains(key) && *key != "tie_word_embeddings");
        note(&unused, notes);
        Ok(read)
    }

    fn decoder<'a>(
        config: &Fields<'a>,
        family: Family,
        name: &str,
        nested: bool,
        unused: &mut Vec<&'a str>,
    ) -> Result<Decoder> {
        // A mixture of experts under the name of a plain model would be read as a plain model.
        for key in ["num_experts", "num_local_experts", "n_routed_experts"] {
            if config.count(key, 0, u32::MAX)?.is_some_and(|experts| experts > 0) {
                let what = format!("a mixture of experts ({key})");
                return Err(Error::Unsupported { what, expected: "a model without experts" });
            }
        }
        let found = Decoder::read(config, family, name, nested)?;
        unused.extend(config.unasked(&["model_type"]));
        Ok(found)
    }

    /// `model_type`, as the file says it.
    pub fn model_type(&self) -> &str {
        match self {
            Self::Decoder(decoder) => &decoder.model_type,
            Self::Encoder(encoder) => &encoder.model_type,
        }
    }

    /// Reads `config.json` in a folder. The parsed file comes with it, for what else it says.
    pub(crate) fn open(folder: &Path, notes: &mut Vec<String>) -> Result<(Self, Map<String, Value>)> {
        let path = folder.join("config.json");
        let missing = || {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "a model's folder needs it");
            Error::Read { path: path.clone(), source }
        };
        let bytes = crate::disk::small(&path, CONFIG)?.ok_or_else(missing)?;
        let read = json::object(&bytes, CONFIG, "config.json").and_then(|object| {
            let config = Self::read(&object, notes)?;
            Ok((config, object))
        });
        read.map_err(|error| error.of(&path))
    }
}

/// The model types that are understood, for messages.
fn supported() -> String {
    let decoders = Family::MODEL_TYPES.map(|(name, _)| name);
    format!("{} or bert", decoders.join(", "))
}

/// One note for all keys that were not used.
fn note(unused: &[&str], notes: &mut Vec<String>) {
    const SHOWN: usize = 12;
    if unused.is_empty() {
        return;
    }
    let mut shown: Vec<String> = unused.iter().take(SHOWN).map(|key| key.chars().take(40).collect()).collect();
    if unused.len() > SHOWN {
        shown.push(format!("and {} more", unused.len() - SHOWN));
    }
    notes.push(format!("keys of config.json that are not used: {}", shown.join(", ")));
}
