//! From messages to tokens.

use trillm_core::{Token, Tokenizer};

use crate::guard::{Guard, markers_in, unused_marker};
use crate::{ChatTemplate, Error, Message, RenderOptions, Result};

/// A model's way of writing chats: its template, and the control tokens that only the template may write.
///
/// Made once when a model is loaded; any number of threads may use it at once.
pub struct ChatFormat {
    template: ChatTemplate,
    guard: Guard,
    /// Markers that occur in the template itself.
    used: u32,
}

impl ChatFormat {
    /// Compiles a model's template and learns the spellings of its control tokens.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`] if there is none, or a blank one; [`Error::InvalidTemplate`] if it does not compile.
    pub fn new(source: Option<&str>, tokenizer: &dyn Tokenizer) -> Result<Self> {
        let source = source.filter(|source| !source.trim().is_empty()).ok_or(Error::NoChatTemplate)?;
        let spelling = |token: Option<Token>| token.and_then(|token| tokenizer.spelling(token));
        let template =
            ChatTemplate::new(source)?.with_special_tokens(spelling(tokenizer.bos()), spelling(tokenizer.eos()));
        Ok(Self { template, guard: Guard::new(tokenizer)?, used: markers_in(source) })
    }

    /// Renders messages to text: see [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        self.template.render(messages, options)
    }

    /// Renders messages and tokenises the result. `tokenizer` is the one this format was made for.
    ///
    /// Only what the template itself writes becomes control tokens; the same spelling in a message, a tool or a
    /// variable is plain text. BOS is put first where the tokenizer wants one and the template wrote none, so it is
    /// never there twice; no end token is added.
    pub fn encode(
        &self,
        tokenizer: &dyn Tokenizer,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<Vec<Token>> {
        let messages = self.template.adapt(messages)?;
        let mut used = self.used;
        let mut touched = false;
        for fields in messages.iter().map(AsRef::as_ref).chain([&options.variables]) {
            touched |= self.guard.touches_fields(fields, &mut used);
        }
        for json in options.tools.iter().chain(&options.documents) {
            touched |= self.guard.touches(json, &mut used);
        }
        let (text, segments) = if touched {
            let marker = unused_marker(used).ok_or_else(|| Error::Failed {
                reason: "the messages use every Unicode noncharacter from U+FDD0 to U+FDEF".into(),
            })?;
            let rendered = self.template.run(&messages, options, &|text| self.guard.mark(text, marker))?;
            self.guard.segments(&rendered, marker)
        } else {
            let text = self.template.run(&messages, options, &|text| text.into())?;
            let whole = 0..text.len();
            (text, vec![(whole, true)])
        };
        let mut tokens = Vec::with_capacity(text.len() / 3 + 8);
        if let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) {
            let written = tokenizer.spelling(bos).is_some_and(|spelling| text.starts_with(spelling));
            if !(written && segments.first().is_some_and(|&(_, control)| control)) {
                tokens.push(bos);
            }
        }
        for (range, control) in segments {
            tokenizer.encode(&text[range], false, control, &mut tokens)?;
        }
        Ok(tokens)
    }
}
