//! `config_sentence_transformers.json`: prompts, and which kind of model it is.

use std::path::Path;

use trillm_core::{Activation, Pipeline};

use super::{activation, layer};
use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::huggingface::file::File;
use crate::names::ABOUT_MODULES as FILE;
use crate::{Result, json};

/// Prompts of a model.
const PROMPTS: usize = 1024;

/// Names that every model has, with nothing to put before a text where the file does not say what.
const ALWAYS: [&str; 2] = ["query", "document"];

#[derive(Default)]
pub(super) struct Settings {
    /// `SentenceTransformer`, `CrossEncoder`, …
    pub(super) model_type: Option<String>,
    /// Numbers that are kept of a vector.
    pub(super) truncate: Option<u32>,
    /// What a cross encoder does to its scores.
    pub(super) activation: Option<Activation>,
    prompts: Vec<(String, String)>,
    default_prompt: Option<String>,
}

/// Reads the file in `folder`, if there is one.
pub(super) fn read(folder: &Path) -> Result<Settings> {
    File::read(folder, FILE, CONFIG)?.with(|config| {
        let prompts = prompts(config)?;
        let default_prompt: Option<String> = config.text("default_prompt_name")?.map(Into::into);
        let is_known =
            |name: &String| ALWAYS.contains(&name.as_str()) || prompts.iter().any(|(known, _)| known == name);
        if let Some(name) = default_prompt.as_ref().filter(|name| !is_known(name)) {
            let found = json::excerpt(&name.as_str().into());
            return Err(config.wrong("default_prompt_name", found, "the name of one of the prompts"));
        }
        let has_activation = config.raw("activation_fn").is_some_and(|value| !value.is_null());
        Ok(Settings {
            model_type: config.text("model_type")?.map(Into::into),
            truncate: config.count("truncate_dim", 1, layer::WIDTH)?,
            activation: has_activation
                .then(|| activation::read(config, "activation_fn", Activation::Identity))
                .transpose()?,
            prompts,
            default_prompt,
        })
    })
}

fn prompts(config: &Fields<'_>) -> Result<Vec<(String, String)>> {
    const KEY: &str = "prompts";
    let Some(object) = config.raw(KEY).and_then(|value| value.as_object()) else {
        return config.object(KEY).map(|_| Vec::new());
    };
    if object.len() > PROMPTS {
        return Err(config.wrong(KEY, format!("an object of {}", object.len()), format!("at most {PROMPTS} prompts")));
    }
    let prompt = |(name, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::Null => Ok((name.clone(), String::new())),
        serde_json::Value::String(text) => Ok((name.clone(), text.clone())),
        other => Err(config.wrong(KEY, json::excerpt(other), "texts by name")),
    };
    object.iter().map(prompt).collect()
}

impl Settings {
    /// Adds the prompts, and those that every model has.
    pub(super) fn add_prompts(&self, pipeline: &mut Pipeline) {
        pipeline.prompts.clone_from(&self.prompts);
        for name in ALWAYS {
            if !pipeline.prompts.iter().any(|(known, _)| known == name) {
                pipeline.prompts.push((name.into(), String::new()));
            }
        }
        pipeline.default_prompt.clone_from(&self.default_prompt);
    }
}
