//! Chat templates: `chat_template.jinja` and `additional_chat_templates`, else those in `tokenizer_config.json`.
//!
//! As in transformers, templates in files of their own replace all that the configuration says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use trillm_core::ChatTemplates;

use super::fields::Fields;
use crate::names::TEMPLATES;
use crate::{Error, Result, disk};

/// Bytes of a chat template, as in GGUF files.
const SIZE: usize = 1 << 20;
/// Templates of one model. The most known are four.
const COUNT: usize = 64;

const KEY: &str = "chat_template";
const ENDING: &str = ".jinja";

/// The templates in `tokenizer_config.json`: a text, a list of objects with name and template, or an object.
pub(super) fn configured(fields: &Fields<'_>) -> Result<ChatTemplates> {
    let expected = "a string, or a list of objects with name and template";
    let text = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).ok_or_else(|| fields.wrong(KEY, "no template", expected))?;
        if text.len() > SIZE {
            return Err(fields.wrong(KEY, format!("a string of {} bytes", text.len()), format!("at most {SIZE}")));
        }
        Ok(text.to_owned())
    };
    let named = match fields.raw(KEY) {
        None | Some(Value::Null) => return Ok(ChatTemplates::default()),
        Some(Value::Array(list)) => {
            let entry = |value: &Value| Ok((name(fields, value)?, text(value.get("template"))?));
            list.iter().take(COUNT + 1).map(entry).collect::<Result<BTreeMap<_, _>>>()?
        }
        Some(Value::Object(object)) => {
            let entry = |(name, value): (&String, &Value)| Ok((name.clone(), text(Some(value))?));
            object.iter().take(COUNT + 1).map(entry).collect::<Result<BTreeMap<_, _>>>()?
        }
        value => return text(value).map(|text| Some(text).into()),
    };
    if named.len() > COUNT {
        return Err(fields.wrong(KEY, format!("more than {COUNT} templates"), format!("at most {COUNT}")));
    }
    Ok(ChatTemplates::of_named(named))
}

fn name(fields: &Fields<'_>, value: &Value) -> Result<String> {
    let name = value.get("name").and_then(Value::as_str);
    name.map(Into::into).ok_or_else(|| fields.wrong(KEY, "no name", "objects with name and template"))
}

/// The templates in files, if there are any.
pub(super) fn in_files(folder: &Path) -> Result<Option<ChatTemplates>> {
    let default = read(&folder.join("chat_template.jinja"))?;
    let more = folder.join(TEMPLATES);
    let mut named = BTreeMap::new();
    if more.is_dir() {
        let failed = |source| Error::Read { path: more.clone(), source };
        for entry in fs::read_dir(&more).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(ENDING));
            let Some(name) = name.filter(|_| path.is_file()) else { continue };
            if named.len() == COUNT {
                let (what, found, limit) = ("chat templates", COUNT as u64 + 1, COUNT as u64);
                return Err(Error::Limit { what: what.into(), offset: 0, found, limit }.of(&more));
            }
            named.extend(read(&path)?.map(|template| (name.to_owned(), template)));
        }
    }
    let templates = ChatTemplates { default, named };
    Ok(Some(templates).filter(|templates| !templates.is_empty()))
}

fn read(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = disk::small(path, SIZE as u64)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| Error::Malformed {
        what: "the chat template".into(),
        offset: error.utf8_error().valid_up_to() as u64,
        found: "bytes that are not UTF-8".into(),
        expected: "text",
    });
    text.map(Some).map_err(|error| error.of(path))
}
