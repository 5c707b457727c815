//! One error, as it is remembered: without the error itself, which may hold on to a model.

use std::collections::BTreeMap;

use trillm_core::Coded;

use super::{Kind, Recovery, Timestamp};

/// What an error was about: a few texts by name, such as `model` and `call`.
pub type Context = BTreeMap<String, String>;

/// The most that is kept of one text, in bytes: messages may quote what they were given.
const TEXT: usize = 2000;

/// The most texts of a context that are kept.
const TEXTS: usize = 16;

/// An error that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What sort of trouble it is.
    pub kind: Kind,
    /// What may help, if anything does.
    pub recovery: Option<Recovery>,
    /// Its stable name.
    pub code: String,
    /// What it says.
    pub message: String,
    /// What it advises.
    pub hint: Option<String>,
    /// What it was about.
    pub context: Context,
    /// When it was told.
    pub time: Timestamp,
}

impl Entry {
    /// What is to be remembered of an error that happens now.
    pub fn of(error: &dyn Coded, context: Context) -> Self {
        let class = error.class();
        Self {
            kind: Kind::of(class),
            recovery: Recovery::of(class),
            code: error.code().to_owned(),
            message: error.to_string(),
            hint: error.hint(),
            context,
            time: Timestamp::now(),
        }
    }

    /// The same, with no more text than a journal keeps.
    pub(super) fn bounded(mut self) -> Self {
        self.code = cut(self.code);
        self.message = cut(self.message);
        self.hint = self.hint.map(cut);
        let context = self.context.into_iter().take(TEXTS);
        self.context = context.map(|(name, text)| (cut(name), cut(text))).collect();
        self
    }
}

/// The text, or its beginning with a sign that it goes on.
fn cut(text: String) -> String {
    if text.len() <= TEXT {
        return text;
    }
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
