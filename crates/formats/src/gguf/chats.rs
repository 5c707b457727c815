//! What a file says of chats: templates, how tokens with a task are spelled, and how its publisher samples.

use std::collections::BTreeMap;

use trillm_core::{ChatTemplates, Defaults, Given};

use super::value::{Array, Value};
use super::{Gguf, keys, limits};
use crate::Result;

const TEMPLATE: &str = "tokenizer.chat_template";

/// Where the defaults of a file stand.
const SAMPLING: &str = "general.sampling";

/// What llama.cpp reads there as well, and is not used here.
const UNUSED: [&str; 6] = ["sequence", "xtc_probability", "xtc_threshold", "mirostat", "mirostat_tau", "mirostat_eta"];

/// Tokens with a task, by the name in keys and the name in templates.
const TASKS: [(&str, &str); 7] = [
    ("bos", "bos_token"),
    ("eos", "eos_token"),
    ("unknown", "unk_token"),
    ("seperator", "sep_token"),
    ("padding", "pad_token"),
    ("cls", "cls_token"),
    ("mask", "mask_token"),
];

impl Gguf<'_> {
    /// `tokenizer.chat_template`, and those with a name behind it.
    ///
    /// # Errors
    /// If one is no text, or too long; if there are too many.
    pub fn chat_templates(&self) -> Result<ChatTemplates> {
        let template = |key: &str| match self.text(key)? {
            Some(template) if template.len() > limits::CHAT_TEMPLATE => {
                let found = format!("a string of {} bytes", template.len());
                Err(keys::wrong(key, found, format!("at most {}", limits::CHAT_TEMPLATE)))
            }
            template => Ok(template.map(ToOwned::to_owned)),
        };
        let mut named = BTreeMap::new();
        for (key, _) in self.keys() {
            let name = key.strip_prefix(TEMPLATE).and_then(|rest| rest.strip_prefix('.'));
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                named.extend(template(key)?.map(|template| (name.to_owned(), template)));
            }
        }
        if named.len() > limits::CHAT_TEMPLATES {
            let expected = format!("at most {}", limits::CHAT_TEMPLATES);
            return Err(keys::wrong(TEMPLATE, format_args!("{} templates", named.len()), expected));
        }
        Ok(ChatTemplates { default: template(TEMPLATE)?, ..ChatTemplates::of_named(named) })
    }

    /// How tokens with a task are spelled. SentencePiece's have numbers of their own where the file says none, as in
    /// llama.cpp; its other defaults name tokens of GPT-2, which few files have.
    pub(super) fn special_tokens(&self) -> Result<BTreeMap<String, String>> {
        let Some(Value::Array(Array::Strings(words))) = self.get("tokenizer.ggml.tokens") else {
            return Ok(BTreeMap::new());
        };
        let sentence_piece = self.text("tokenizer.ggml.model")? == Some("llama");
        let mut named = BTreeMap::new();
        for (task, name) in TASKS {
            let usual = match task {
                "unknown" => Some(0),
                "bos" => Some(1),
                "eos" => Some(2),
                _ => None,
            };
            let id = self.u32(&format!("tokenizer.ggml.{task}_token_id"))?.or(usual.filter(|_| sentence_piece));
            let word = id.and_then(|id| words.get(id as usize)).and_then(|word| std::str::from_utf8(word).ok());
            named.extend(word.map(|word| (name.to_owned(), word.to_owned())));
        }
        Ok(named)
    }

    /// The keys `general.sampling.*`.
    pub(super) fn defaults(&self, notes: &mut Vec<String>) -> Defaults {
        let mut number = |key: &str| match self.get(&format!("{SAMPLING}.{key}"))? {
            Value::F32(number) => Some(given(*number)),
            Value::F64(number) => Some(given(*number as f32)),
            Value::I32(number) => Some(given(*number as f32)),
            Value::U32(number) => Some(given(*number as f32)),
            value => wrong(notes, key, value, "a number"),
        };
        let mut defaults = Defaults {
            temperature: number("temp"),
            top_p: number("top_p"),
            min_p: number("min_p"),
            repetition_penalty: number("penalty_repeat"),
            ..Defaults::default()
        };
        // Below zero: all tokens, and the whole context.
        let mut count = |key: &str, below_zero: u32| match self.get(&format!("{SAMPLING}.{key}"))? {
            Value::I32(number) => Some(given(u32::try_from(*number).unwrap_or(below_zero))),
            Value::U32(number) => Some(given(*number)),
            value => wrong(notes, key, value, "a whole number"),
        };
        defaults.top_k = count("top_k", 0);
        defaults.repeat_last_n = count("penalty_last_n", u32::MAX);
        let unused: Vec<_> = UNUSED.into_iter().filter(|key| self.changes(key)).collect();
        if !unused.is_empty() {
            notes.push(format!("{SAMPLING}: no use is made here of {}", unused.join(", ")));
        }
        defaults.checked(notes)
    }

    /// Whether a key is there and not switched off by zero.
    fn changes(&self, key: &str) -> bool {
        match self.get(&format!("{SAMPLING}.{key}")) {
            None | Some(Value::I32(0) | Value::U32(0)) => false,
            Some(Value::F32(number)) => *number != 0.0,
            Some(_) => true,
        }
    }
}

fn given<T>(value: T) -> Given<T> {
    Given { value, source: SAMPLING }
}

fn wrong<T>(notes: &mut Vec<String>, key: &str, value: &Value<'_>, expected: &str) -> Option<T> {
    notes.push(format!("{SAMPLING}.{key} is {value}, expected {expected}; it is not used"));
    None
}
