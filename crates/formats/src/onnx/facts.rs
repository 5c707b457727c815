//! What the small files beside a graph say of it: `config.json`, as transformers writes it, and `genai_config.json`, as
//! ONNX Runtime's own tool for language models does.
//!
//! The graph is what is computed, so a model type that is not known elsewhere does not matter here.

use std::path::Path;

use serde_json::{Map, Value};

use crate::huggingface::fields::Fields;
use crate::huggingface::{CONFIG, Sidecars, token_ids};
use crate::{Result, disk, json};

/// The name of the file that ONNX Runtime's tool writes.
pub(super) const GENAI: &str = "genai_config.json";

/// Models whose first position is not zero but the one behind the number of the padding token.
const COUNTS_FROM_PADDING: [&str; 6] = ["camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"];

/// Sizes and names. What is not said is `None`.
#[derive(Default, Debug)]
pub(super) struct Facts {
    pub(super) model_type: Option<String>,
    /// The first of `architectures`: what kind of model, by the name of its class.
    pub(super) class: Option<String>,
    /// Labels that a text may have, for classes that label whole texts; zero if their number is not said.
    pub(super) labels: Option<u32>,
    pub(super) context: Option<u32>,
    pub(super) width: Option<u32>,
    pub(super) layers: Option<u32>,
    pub(super) vocabulary: Option<u32>,
    /// Heads that ask.
    pub(super) heads: Option<u32>,
    /// Heads of keys and values.
    pub(super) kv_heads: Option<u32>,
    /// `head_size` of `genai_config.json`, which is written with the graph.
    pub(super) head: Option<u32>,
    /// Width of a head by `config.json`.
    pub(super) config_head: Option<u32>,
    pub(super) names: Names,
    /// The whole of `config.json`.
    pub(super) config: Map<String, Value>,
}

/// Names of inputs and outputs; those of numbered ones have `%d` in them.
#[derive(Default, Debug)]
pub(super) struct Names {
    pub(super) tokens: Option<String>,
    pub(super) mask: Option<String>,
    pub(super) positions: Option<String>,
    pub(super) scores: Option<String>,
    /// Keys, values, or both in one.
    pub(super) past: [Option<String>; 3],
    pub(super) present: [Option<String>; 3],
}

/// The object of a JSON file; empty if there is no such file.
pub(super) fn object(folder: &Path, name: &str) -> Result<Map<String, Value>> {
    let path = folder.join(name);
    let Some(bytes) = disk::small(&path, CONFIG)? else { return Ok(Map::new()) };
    json::object(&bytes, CONFIG, name).map_err(|error| error.of(&path))
}

/// The file that `genai_config.json` in a folder names.
pub(super) fn named_file(folder: &Path) -> Result<Option<String>> {
    let genai = object(folder, GENAI)?;
    let read = || {
        let decoder = Fields::new(&genai).object("model")?.map(|model| model.object("decoder")).transpose()?.flatten();
        let name = decoder.as_ref().map(|decoder| decoder.text("filename")).transpose()?.flatten();
        if let (Some(name), Some(decoder)) = (name, &decoder)
            && super::open::check(name).is_err()
        {
            return Err(decoder.wrong("filename", format!("{name:?}"), "a path below the folder"));
        }
        Ok(name.map(Into::into))
    };
    read().map_err(|error: crate::Error| error.of(&folder.join(GENAI)))
}

impl Facts {
    /// Reads what is in a folder. All files may be absent.
    pub(super) fn read(folder: &Path) -> Result<(Self, Sidecars)> {
        let (config, genai) = (object(folder, "config.json")?, object(folder, GENAI)?);
        let mut sidecars = Sidecars::read(folder, &config)?;
        let mut facts = Self::default();
        facts.add_config(&Fields::new(&config)).map_err(|error| error.of(&folder.join("config.json")))?;
        facts.add_genai(&Fields::new(&genai), &mut sidecars).map_err(|error| error.of(&folder.join(GENAI)))?;
        facts.config = config;
        Ok((facts, sidecars))
    }

    fn add_config(&mut self, config: &Fields<'_>) -> Result<()> {
        self.model_type = config.text("model_type")?.map(Into::into);
        let classes = config.list("architectures")?;
        self.class = classes.and_then(|list| list.first()?.as_str()).map(Into::into);
        if self.class.as_deref().is_some_and(|class| class.ends_with("ForSequenceClassification")) {
            let names = config.raw("id2label").and_then(Value::as_object).map(|names| names.len() as u32);
            self.labels = names.or(config.count("num_labels", 0, u32::MAX)?).or(Some(0));
        }
        let text = config.object("text_config")?;
        // Models that read more than text keep the sizes of their text part apart.
        let size = |keys: &[&'static str]| {
            for fields in [Some(config), text.as_ref()].into_iter().flatten() {
                for key in keys {
                    if let Some(size) = fields.count(key, 0, u32::MAX)?.filter(|size| *size > 0) {
                        return Ok(Some(size));
                    }
                }
            }
            Ok(None)
        };
        self.context = size(&["max_position_embeddings", "n_positions", "n_ctx"])?;
        if let (Some(kind), Some(context)) = (&self.model_type, self.context)
            && COUNTS_FROM_PADDING.contains(&kind.as_str())
        {
            let padding = config.count("pad_token_id", 0, u32::MAX)?.unwrap_or(1);
            self.context = Some(context.saturating_sub(padding.saturating_add(1))).filter(|context| *context > 0);
        }
        self.width = size(&["hidden_size", "n_embd", "dim"])?;
        self.layers = size(&["num_hidden_layers", "n_layer", "n_layers"])?;
        self.vocabulary = size(&["vocab_size"])?;
        let heads = size(&["num_attention_heads", "n_head", "n_heads"])?;
        self.heads = heads;
        self.kv_heads = size(&["num_key_value_heads"])?.or(heads);
        let shared = self.width.zip(heads).filter(|(width, heads)| width.is_multiple_of(*heads));
        self.config_head = size(&["head_dim"])?.or(shared.map(|(width, heads)| width / heads));
        Ok(())
    }

    fn add_genai(&mut self, genai: &Fields<'_>, sidecars: &mut Sidecars) -> Result<()> {
        let Some(model) = genai.object("model")? else { return Ok(()) };
        let size = |fields: &Fields<'_>, key| fields.count(key, 0, u32::MAX).map(|size| size.filter(|size| *size > 0));
        let kind = model.text("type")?.map(Into::into);
        self.model_type = self.model_type.take().or(kind);
        self.context = self.context.or(size(&model, "context_length")?);
        self.vocabulary = self.vocabulary.or(size(&model, "vocab_size")?);
        let (end_ids, bos_id) = token_ids(&model)?;
        if sidecars.end_ids.is_empty() {
            sidecars.end_ids = end_ids.unwrap_or_default();
        }
        sidecars.bos_id = sidecars.bos_id.or(bos_id);
        let Some(decoder) = model.object("decoder")? else { return Ok(()) };
        self.width = self.width.or(size(&decoder, "hidden_size")?);
        self.layers = self.layers.or(size(&decoder, "num_hidden_layers")?);
        self.heads = self.heads.or(size(&decoder, "num_attention_heads")?);
        self.kv_heads = self.kv_heads.or(size(&decoder, "num_key_value_heads")?);
        self.head = size(&decoder, "head_size")?;
        self.names = Names::read(&decoder)?;
        Ok(())
    }
}

impl Names {
    fn read(decoder: &Fields<'_>) -> Result<Self> {
        let mut names = Self::default();
        let text = |fields: &Fields<'_>, key| fields.text(key).map(|name| name.map(str::to_owned));
        if let Some(inputs) = decoder.object("inputs")? {
            names.tokens = text(&inputs, "input_ids")?;
            names.mask = text(&inputs, "attention_mask")?;
            names.positions = text(&inputs, "position_ids")?;
            for (name, key) in names.past.iter_mut().zip(["past_key_names", "past_value_names", "past_names"]) {
                *name = text(&inputs, key)?;
            }
        }
        if let Some(outputs) = decoder.object("outputs")? {
            names.scores = text(&outputs, "logits")?;
            for (name, key) in
                names.present.iter_mut().zip(["present_key_names", "present_value_names", "present_names"])
            {
                *name = text(&outputs, key)?;
            }
        }
        Ok(names)
    }
}
