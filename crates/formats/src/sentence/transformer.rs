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

/// Where the network is computed, in which type, and what else it could give.
const OF_MODEL: [&str; 7] = [
    "add_pooling_layer",
    "attn_implementation",
    "device_map",
    "dtype",
    "output_attentions",
    "output_hidden_states",
    "torch_dtype",
];
/// How texts are batched, and which of two programs reads the vocabulary.
const OF_TOKENIZER: [&str; 3] = ["model_max_length", "padding_side", "use_fast"];
/// What a configuration says of memory, and of what is given besides.
const OF_CONFIG: [&str; 6] = [
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "unpad_inputs",
    "use_cache",
    "use_memory_efficient_attention",
];

/// Options for the parts of the network, under their names and older ones, and those of each that change no vector. Any
/// other does, `false` too: it may switch off what is on without it.
const OPTIONS: [(&str, &[&str]); 6] = [
    ("model_kwargs", &OF_MODEL),
    ("model_args", &OF_MODEL),
    ("processor_kwargs", &OF_TOKENIZER),
    ("tokenizer_args", &OF_TOKENIZER),
    ("config_kwargs", &OF_CONFIG),
    ("config_args", &OF_CONFIG),
];

/// How texts are batched when the tokenizer is called; masks leave no trace of it.
const OF_CALL: [&str; 3] = ["pad_to_multiple_of", "padding", "padding_side"];

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
        let mut longer = None;
        for (key, harmless) in OPTIONS {
            let Some(options) = config.object(key)? else { continue };
            longer = longer.or(options.count("model_max_length", 1, LONGEST)?);
            check_options(key, &options.others(harmless))?;
        }
        let of_call = call(config)?;
        let lower_case = config.flag("do_lower_case")?.unwrap_or(false);
        let task = config.text("transformer_task")?.map(Into::into);
        keys::check(config, &HARMLESS)?;
        Ok(Self { path: PathBuf::new(), max_tokens: of_call.or(longer).or(longest), lower_case, task })
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

/// Refuses options by name, but for one that runs nothing here.
fn check_options(key: &str, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| **name != "trust_remote_code") {
        None => Ok(()),
        Some(name) => {
            let what = format!("the option {} of {key}", json::excerpt(&(*name).into()));
            Err(Error::Unsupported { what, expected: "none that changes vectors" })
        }
    }
}

/// What the tokenizer is called with: the longest text, whatever else says one.
fn call(config: &Fields<'_>) -> Result<Option<u32>> {
    const KEY: &str = "processing_kwargs";
    let Some(call) = config.object(KEY)? else { return Ok(None) };
    let text = call.object("text")?;
    check_options(KEY, &call.others(&[]))?;
    let Some(text) = text else { return Ok(None) };
    let longest = text.count("max_length", 1, LONGEST)?;
    match text.raw("truncation") {
        None | Some(Value::Bool(true)) => {}
        Some(Value::String(way)) if way == "longest_first" => {}
        Some(other) => return Err(text.wrong("truncation", json::excerpt(other), "true or \"longest_first\"")),
    }
    check_options("processing_kwargs.text", &text.others(&OF_CALL))?;
    Ok(longest)
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
