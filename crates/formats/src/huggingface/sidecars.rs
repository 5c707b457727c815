//! `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json`, `chat_template.jinja`.

use std::path::Path;

use serde_json::{Map, Value};

use super::CONFIG;
use super::fields::Fields;
use crate::{Error, Result, disk, json};

/// Bytes of `tokenizer_config.json`, which lists every added token.
const TOKENIZER_CONFIG: u64 = 16 << 20;
/// Bytes of a chat template, as in GGUF files.
const CHAT_TEMPLATE: usize = 1 << 20;
/// Ids that end generation.
const END_IDS: usize = 1024;

/// What the small files say of a model's tokens. Every file may be absent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sidecars {
    /// The chat template: `chat_template.jinja`, else `tokenizer_config.json` (the one called `default` of several).
    pub chat_template: Option<String>,
    /// The text of the token that begins a text.
    pub bos: Option<String>,
    /// The text of the token that ends a text.
    pub eos: Option<String>,
    /// `add_bos_token`; `None` leaves it to the post-processor of `tokenizer.json`.
    pub add_bos: Option<bool>,
    /// `add_eos_token`.
    pub add_eos: Option<bool>,
    /// Ids that end generation: `eos_token_id` of `generation_config.json`, else of `config.json`.
    pub end_ids: Vec<u32>,
    /// `bos_token_id` of the same files.
    pub bos_id: Option<u32>,
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
            sidecars.add_bos = fields.flag("add_bos_token")?;
            sidecars.add_eos = fields.flag("add_eos_token")?;
            sidecars.chat_template = chat_template(fields)?;
            Ok(())
        })?;
        let map = File::read(folder, "special_tokens_map.json", TOKENIZER_CONFIG)?;
        let text = |key| {
            // What the first file says counts even if it is null.
            let file = if tokens.object.contains_key(key) { &tokens } else { &map };
            file.with(|fields| token(fields, key))
        };
        (sidecars.bos, sidecars.eos) = (text("bos_token")?, text("eos_token")?);
        if let Some(template) = template_file(folder)? {
            sidecars.chat_template = Some(template);
        }

        let generation = File::read(folder, "generation_config.json", CONFIG)?;
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
}

/// A file of one JSON object; one that is absent is empty.
struct File {
    path: std::path::PathBuf,
    object: Map<String, Value>,
}

impl File {
    fn read(folder: &Path, name: &str, limit: u64) -> Result<Self> {
        let path = folder.join(name);
        let object = match disk::small(&path, limit)? {
            None => Map::new(),
            Some(bytes) => json::object(&bytes, limit, "the file").map_err(|error| error.of(&path))?,
        };
        Ok(Self { path, object })
    }

    /// Reads from the object; errors name the file.
    fn with<T>(&self, read: impl FnOnce(&Fields<'_>) -> Result<T>) -> Result<T> {
        read(&Fields::new(&self.object)).map_err(|error| error.of(&self.path))
    }
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

/// `chat_template`: a string, or a list of named ones.
fn chat_template(fields: &Fields<'_>) -> Result<Option<String>> {
    const KEY: &str = "chat_template";
    let template = match fields.raw(KEY) {
        Some(Value::Array(list)) => {
            let named = |value: &&Value| value.get("name").and_then(Value::as_str) == Some("default");
            let template = list.iter().find(named).map(|value| value.get("template").and_then(Value::as_str));
            template.map(|text| text.ok_or_else(|| fields.wrong(KEY, "no template", "objects with name and template")))
        }
        _ => fields.text(KEY)?.map(Ok),
    };
    let Some(template) = template.transpose()? else { return Ok(None) };
    if template.len() > CHAT_TEMPLATE {
        let found = format!("a string of {} bytes", template.len());
        return Err(fields.wrong(KEY, found, format!("at most {CHAT_TEMPLATE}")));
    }
    Ok(Some(template.into()))
}

fn template_file(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("chat_template.jinja");
    let Some(bytes) = disk::small(&path, CHAT_TEMPLATE as u64)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| Error::Malformed {
        what: "the chat template".into(),
        offset: error.utf8_error().valid_up_to() as u64,
        found: "bytes that are not UTF-8".into(),
        expected: "text",
    });
    text.map(Some).map_err(|error| error.of(&path))
}

/// `eos_token_id`, one or several, and `bos_token_id`.
pub(crate) fn ids(fields: &Fields<'_>) -> Result<(Option<Vec<u32>>, Option<u32>)> {
    const KEY: &str = "eos_token_id";
    let end = match fields.raw(KEY) {
        Some(Value::Array(list)) if list.len() <= END_IDS => {
            let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
            let ids: Option<Vec<u32>> = list.iter().map(id).collect();
            Some(ids.ok_or_else(|| fields.wrong(KEY, "a list of other things", "ids of tokens"))?)
        }
        Some(Value::Array(list)) => {
            return Err(fields.wrong(KEY, format!("a list of {}", list.len()), format!("at most {END_IDS}")));
        }
        _ => fields.count(KEY, 0, u32::MAX)?.map(|id| vec![id]),
    };
    Ok((end, fields.count("bos_token_id", 0, u32::MAX)?))
}
