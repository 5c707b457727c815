//! All the ways in which one model writes chats.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use trillm_core::{ChatTemplates, ModelInfo, Tokenizer};

use crate::chat::SpecialTokens;
use crate::{ChatFormat, Error, RenderOptions, Result};

/// A model's chat templates, each compiled when it is first used: one that does not parse must not keep a model from
/// being loaded, nor another template from being used.
pub struct ChatFormats {
    sources: ChatTemplates,
    special_tokens: SpecialTokens,
    /// Those that count if the vocabulary has them.
    usual_tokens: SpecialTokens,
    formats: BTreeMap<String, OnceLock<ChatFormat>>,
}

impl ChatFormats {
    /// The formats of a model.
    pub fn new(info: &ModelInfo) -> Self {
        let sources = info.chat_templates.clone();
        let formats = sources.iter().map(|(name, _)| (name.to_owned(), OnceLock::new())).collect();
        Self { sources, special_tokens: info.special_tokens.clone(), usual_tokens: info.usual_tokens.clone(), formats }
    }

    /// The format for a chat: by the name of its template, else that for tools where there are tools and such a
    /// template, else the default. `tokenizer` is the model's.
    ///
    /// # Errors
    /// If there is none, none of that name, or none by default; and those of [`ChatFormat::new`].
    pub fn choose(&self, options: &RenderOptions, tokenizer: &dyn Tokenizer) -> Result<&ChatFormat> {
        let (name, source) = self.source(options)?;
        let Some(format) = self.formats.get(name) else { return Err(Error::NoChatTemplate) };
        if let Some(format) = format.get() {
            return Ok(format);
        }
        let made = ChatFormat::new(source, &self.tokens(tokenizer), tokenizer)?;
        Ok(format.get_or_init(|| made))
    }

    /// A template that is none of the model's, with the model's tokens.
    ///
    /// # Errors
    /// Those of [`ChatFormat::new`]; one that is blank is invalid here.
    pub fn other(&self, source: &str, tokenizer: &dyn Tokenizer) -> Result<ChatFormat> {
        if source.trim().is_empty() {
            return Err(Error::InvalidTemplate { reason: "the one that was given is empty".into() });
        }
        ChatFormat::new(source, &self.tokens(tokenizer), tokenizer)
    }

    /// Tokens that templates know by name.
    fn tokens(&self, tokenizer: &dyn Tokenizer) -> SpecialTokens {
        let mut read = Vec::new();
        let mut is_token = |text: &str| {
            read.clear();
            let is_one = tokenizer.encode(text, false, true, &mut read).is_ok() && read.len() == 1;
            is_one && tokenizer.spelling(read[0]) == Some(text)
        };
        let mut tokens = self.usual_tokens.clone();
        tokens.retain(|_, text| is_token(text));
        tokens.extend(self.special_tokens.clone());
        tokens
    }

    fn source(&self, options: &RenderOptions) -> Result<(&str, &str)> {
        let find = |name: &str| self.sources.iter().find(|(known, _)| *known == name);
        let names = || self.sources.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        if let Some(name) = &options.template_name {
            return find(name).ok_or_else(|| Error::UnknownTemplate { name: name.clone(), names: names() });
        }
        let for_tools = options.tools.as_ref().and_then(|_| find(ChatTemplates::TOOLS));
        let found = for_tools.or_else(|| find(ChatTemplates::DEFAULT));
        found.ok_or_else(|| match names() {
            none if none.is_empty() => Error::NoChatTemplate,
            names => Error::NoDefaultTemplate { names },
        })
    }
}
