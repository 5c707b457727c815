//! `sentence_bert_config.json`, or what older models call it: how texts become tokens, and which of the network's outputs counts.

use std::path::{Path, PathBuf};

use serde_json::Value;
use trillm_core::Pipeline;

use super::about::About;
use super::keys;
use crate::huggingface::CONFIG;
use crate::huggingface::fields::Fields;
use crate::huggingface::file::File;
use crate::names::ABOUT_TOKENS;
use crate::{Error, Result, json};

/// The longest text that is believed, in tokens.
const LONGEST: u32 = 1 << 30;

/// What says how vectors are computed, and changes none.
const HARMLESS: [&str; 3] = ["backend", "cache_dir", "unpad_inputs"];

/// What the file says; by default, nothing.
#[derive(Default)]
pub(super) struct Transformer {
    path: PathBuf,
    max_tokens: Option<u32>,
    lower_case: bool,
    task: Option<String>,
}

impl Transformer {
    /// Reads the file in `folder`, if there is one.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        for name in ABOUT_TOKENS {
            let file = File::read(folder, name, CONFIG)?;
            if !file.object.is_empty() {
                let found = file.with(Self::parse)?;
                return Ok(Self { path: file.path, ..found });
            }
        }
        Ok(Self::default())
    }

    fn parse(config: &Fields<'_>) -> Result<Self> {
        outputs(config)?;
        let longest = config.count("max_seq_length", 1, LONGEST)?;
        let options = [
            // Where they are computed, and in which type.
            ("model_kwargs", &["torch_dtype", "dtype", "attn_implementation", "device_map"][..]),
            ("model_args", &["torch_dtype", "dtype", "attn_implementation", "device_map"][..]),
            ("processor_kwargs", &["padding_side", "use_fast", "model_max_length"][..]),
            ("tokenizer_args", &["padding_side", "use_fast", "model_max_length"][..]),
            ("config_kwargs", &[][..]),
            ("config_args", &[][..]),
            ("processing_kwargs", &[][..]),
        ];
        let mut longer = None;
        for (key, harmless) in options {
            let Some(options) = config.object(key)? else { continue };
            longer = longer.or(options.count("model_max_length", 1, LONGEST)?);
            if let Some(name) = options.unasked(harmless).into_iter().find(|name| *name != "trust_remote_code") {
                let what = format!("the option {} of {key}", json::excerpt(&name.into()));
                return Err(Error::Unsupported { what, expected: "none that changes vectors" });
            }
        }
        let lower_case = config.flag("do_lower_case")?.unwrap_or(false);
        let task = config.text("transformer_task")?.map(Into::into);
        keys::check(config, &HARMLESS)?;
        Ok(Self { path: PathBuf::new(), max_tokens: longer.or(longest), lower_case, task })
    }

    /// Checks that the network is loaded for `task`.
    pub(super) fn check_task(&self, task: &'static str) -> Result<()> {
        match &self.task {
            Some(other) if other != task => {
                let what = format!("the transformer_task {other:?}");
                Err(Error::Unsupported { what, expected: task }.of(&self.path))
            }
            _ => Ok(()),
        }
    }

    /// Everything before pooling. Where the file does not say how long a text may be, the tokenizer does.
    pub(super) fn pipeline(&self, about: &About<'_>) -> Pipeline {
        let of_tokenizer = || {
            let context = Some(about.context).filter(|context| *context > 0);
            [about.sidecars.max_tokens, context].into_iter().flatten().min()
        };
        Pipeline {
            max_tokens: self.max_tokens.or_else(of_tokenizer),
            lower_case: self.lower_case,
            tells_texts_apart: about.sidecars.tells_texts_apart.unwrap_or(true),
            keeps_end: about.sidecars.cuts_beginning,
            ..Pipeline::default()
        }
    }
}

/// Checks that what counts is the network's last states, for texts that are given as they are.
fn outputs(config: &Fields<'_>) -> Result<()> {
    let expected = "vectors of tokens, of plain texts";
    if let Some(name) = config.text("module_output_name")?.filter(|name| !["token_embeddings", "scores"].contains(name))
    {
        return Err(Error::Unsupported { what: format!("the module_output_name {name:?}"), expected });
    }
    let Some(modalities) = config.object("modality_config")? else { return Ok(()) };
    let text = modalities.object("text")?;
    if let Some(other) = modalities.unasked(&[]).into_iter().next() {
        let what = format!("the modality {}", json::excerpt(&other.into()));
        return Err(Error::Unsupported { what, expected });
    }
    let Some(text) = text else { return Ok(()) };
    for (key, known) in [("method", &["forward"][..]), ("method_output_name", &["last_hidden_state", "logits"][..])] {
        match text.raw(key) {
            Some(Value::String(name)) if known.contains(&name.as_str()) => {}
            None => {}
            Some(other) => return Err(text.wrong(key, json::excerpt(other), known.join(" or "))),
        }
    }
    Ok(())
}
