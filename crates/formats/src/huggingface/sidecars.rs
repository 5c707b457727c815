//! `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `generation_config.json`, chat templates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use trillm_core::{ChatTemplates, Defaults, ModelInfo};

use super::fields::Fields;
use super::file::File;
use super::tokenizer_class::tokenizer_class;
use super::{BertWords, CONFIG, NamedToken, Prefix, added, bert_words, generation, prefix, templates, usual};
use crate::Result;

/// Bytes of `tokenizer_config.json`, which lists every added token.
const TOKENIZER_CONFIG: u64 = 16 << 20;
/// Named tokens of one model.
const NAMED: usize = 1024;
/// Ids that end generation.
const END_IDS: usize = 1024;

/// What the small files say of a model's tokens. Every file may be absent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sidecars {
    /// The chat templates.
    pub chat_templates: ChatTemplates,
    /// How tokens with a task are spelled, by name: `bos_token` and the like, and names of the model's own.
    pub special_tokens: BTreeMap<String, String>,
    /// Those of the tokenizer's class of which no file says anything. They count if the vocabulary has them.
    pub usual_tokens: BTreeMap<String, String>,
    /// How the publisher says the model is used best.
    pub defaults: Defaults,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// The text of the token that begins a text.
    pub bos: Option<String>,
    /// The text of the token that ends a text.
    pub eos: Option<String>,
    /// The longest text (`model_max_length`), in tokens; `None` for the huge numbers that stand for none.
    pub max_tokens: Option<u32>,
    /// Whether the model is told which of two texts a token belongs to (`token_type_ids`); `None` leaves it to the model.
    pub tells_texts_apart: Option<bool>,
    /// Whether a text that is to be cut loses its beginning (`truncation_side`).
    pub cuts_beginning: bool,
    /// How words are made of a text, whatever `tokenizer.json` says of it; `None` if the class leaves it to that.
    pub words: Option<BertWords>,
    /// Where a space goes before a text, by the class; `None` if it leaves it to `tokenizer.json`.
    pub prefix: Option<Prefix>,
    /// Ids that end generation: `eos_token_id` of `generation_config.json`, else of `config.json`.
    pub end_ids: Vec<u32>,
    /// `bos_token_id` of the same files.
    pub bos_id: Option<u32>,
    /// Tokens that the files name, those above included, in the order in which new ones get their ids.
    pub tokens: Vec<NamedToken>,
}

impl Sidecars {
    /// Reads the files in `folder`, `config.json` included. All of them may be absent.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::read(folder, &File::read(folder, "config.json", CONFIG)?.object)
    }

    /// Reads the files in `folder`. `config` is the object of `config.json`, for ids that `generation_config.json`
    /// does not say; those of a `text_config` in it count, too.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: &Path, config: &Map<String, Value>) -> Result<Self> {
        let mut sidecars = Self::default();
        let tokens = File::read(folder, "tokenizer_config.json", TOKENIZER_CONFIG)?;
        tokens.with(|fields| {
            sidecars.max_tokens = max_tokens(fields)?;
            sidecars.cuts_beginning = fields.text("truncation_side")? == Some("left");
            sidecars.chat_templates = templates::configured(fields)?;
            Ok(())
        })?;
        let map = File::read(folder, "special_tokens_map.json", TOKENIZER_CONFIG)?;
        let older = File::read(folder, "added_tokens.json", TOKENIZER_CONFIG)?;
        let named = File { path: tokens.path, object: added::merged(&tokens.object, map.object) };
        sidecars.special_tokens = named_tokens(&named)?;
        let class = tokenizer_class(&named.object, config);
        sidecars.usual_tokens = usual::read(class, &named.object);
        named.with(|fields| {
            sidecars.tells_texts_apart = tells_texts_apart(class, fields)?;
            sidecars.words = bert_words::read(class, fields)?;
            sidecars.prefix = prefix::read(class, fields)?;
            Ok(())
        })?;
        let text = |key| sidecars.special_tokens.get(key).cloned();
        (sidecars.bos, sidecars.eos) = (text("bos_token"), text("eos_token"));
        sidecars.tokens = added::read(&named.object, &older.object).map_err(|error| error.of(&named.path))?;
        if let Some(in_files) = templates::in_files(folder)? {
            sidecars.chat_templates = in_files;
        }

        let generation = generation::read(folder, &mut sidecars.notes)?;
        sidecars.defaults = generation::defaults(&generation.object, &mut sidecars.notes);
        let config = File { path: folder.join("config.json"), object: config.clone() };
        let (end_ids, bos_id) = generation.with(ids)?;
        let (config_end_ids, config_bos_id) = config.with(|fields| {
            let (end_ids, bos_id) = ids(fields)?;
            let (text_end_ids, text_bos_id) =
                fields.object("text_config")?.map_or(Ok((None, None)), |text| ids(&text))?;
            Ok((end_ids.or(text_end_ids), bos_id.or(text_bos_id)))
        })?;
        sidecars.end_ids = end_ids.or(config_end_ids).unwrap_or_default();
        sidecars.bos_id = bos_id.or(config_bos_id);
        Ok(sidecars)
    }

    /// What they say of a model.
    pub fn info(&self) -> ModelInfo {
        ModelInfo {
            chat_templates: self.chat_templates.clone(),
            special_tokens: self.special_tokens.clone(),
            usual_tokens: self.usual_tokens.clone(),
            defaults: self.defaults.clone(),
            notes: self.notes.clone(),
            ..ModelInfo::default()
        }
    }
}

/// The named tokens of what the files say together: those that every model has, and what else is called so.
fn named_tokens(file: &File) -> Result<BTreeMap<String, String>> {
    let mut named = BTreeMap::new();
    file.with(|fields| {
        for name in added::NAMES {
            if let Some(text) = token(fields, name)? {
                named.insert(name.to_owned(), text);
            }
        }
        Ok(())
    })?;
    // Names of the model's own: `image_token`, …
    let own = file.object.iter().filter(|(name, _)| name.ends_with("_token") && !added::NAMES.contains(&name.as_str()));
    let extra = ["extra_special_tokens", added::AGAIN];
    let extra = extra.into_iter().filter_map(|key| file.object.get(key)?.as_object()).flatten();
    for (name, value) in own.chain(extra) {
        if let Some(text) = value.as_str().or_else(|| value.get("content")?.as_str())
            && named.len() < NAMED
        {
            named.insert(name.clone(), text.to_owned());
        }
    }
    Ok(named)
}

/// `model_max_length`. Where a tokenizer has no limit, transformers writes 10^30.
fn max_tokens(fields: &Fields<'_>) -> Result<Option<u32>> {
    let longest = fields.number("model_max_length")?.filter(|longest| *longest < f64::from(u32::MAX));
    if let Some(wrong) = longest.filter(|longest| *longest < 1.0) {
        return Err(fields.wrong("model_max_length", wrong.to_string(), "a number of tokens, at least 1"));
    }
    Ok(longest.map(|longest| longest as u32))
}

/// `model_input_names`, or what the class of the tokenizer has there: BERT's own names the kinds of tokens, the one for
/// any `tokenizer.json` does not.
fn tells_texts_apart(class: Option<&str>, fields: &Fields<'_>) -> Result<Option<bool>> {
    const TELL: [&str; 4] =
        ["BertTokenizer", "ConvBertTokenizer", "DPRContextEncoderTokenizer", "DPRQuestionEncoderTokenizer"];
    if let Some(names) = fields.list("model_input_names")? {
        return Ok(Some(names.iter().any(|name| name == "token_type_ids")));
    }
    let is_named = fields.text("tokenizer_class")?.is_some();
    let is_known = class.is_some_and(|class| TELL.contains(&class));
    Ok((is_named || is_known).then_some(is_known))
}

/// The text of a token: a string, or an object with its `content`.
fn token(fields: &Fields<'_>, key: &'static str) -> Result<Option<String>> {
    match fields.raw(key) {
        Some(Value::Object(_)) => {
            let token = fields.object(key)?;
            Ok(token.map(|token| token.text("content")).transpose()?.flatten().map(Into::into))
        }
        _ => Ok(fields.text(key)?.map(Into::into)),
    }
}

/// `eos_token_id`, one or several, and `bos_token_id`. Minus one stands for none.
pub(crate) fn ids(fields: &Fields<'_>) -> Result<(Option<Vec<u32>>, Option<u32>)> {
    const KEY: &str = "eos_token_id";
    let end = match fields.raw(KEY) {
        Some(Value::Array(list)) if list.len() <= END_IDS => {
            let ids = list.iter().filter(|id| !is_none(id)).map(id).collect::<Option<Vec<u32>>>();
            Some(ids.ok_or_else(|| fields.wrong(KEY, "a list of other things", "ids of tokens"))?)
        }
        Some(Value::Array(list)) => {
            return Err(fields.wrong(KEY, format!("a list of {}", list.len()), format!("at most {END_IDS}")));
        }
        _ => one(fields, KEY)?.map(|id| vec![id]),
    };
    Ok((end, one(fields, "bos_token_id")?))
}

fn one(fields: &Fields<'_>, key: &'static str) -> Result<Option<u32>> {
    if fields.raw(key).is_some_and(is_none) { Ok(None) } else { fields.count(key, 0, u32::MAX) }
}

fn id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

fn is_none(value: &Value) -> bool {
    value.as_i64() == Some(-1)
}
