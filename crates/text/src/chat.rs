//! From messages to tokens.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use trillm_core::{Token, Tokenizer};

use crate::content::Fields;
use crate::guard::{Guard, markers_in, unused_marker};
use crate::reserved::reserved;
use crate::template::Adapted;
use crate::{ChatTemplate, Error, Message, RenderOptions, Result};

/// How a model spells tokens with a task, by the names that templates know them by.
pub type SpecialTokens = BTreeMap<String, String>;

/// A way of writing chats: a template, and the tokens that only the template may write.
///
/// Made once when a model is loaded; any number of threads may use it at once.
pub struct ChatFormat {
    template: ChatTemplate,
    guard: Guard,
    /// A guard of those tokens that nobody sees when a model writes them.
    unseen: Guard,
    /// Markers that occur in the template itself.
    used: u32,
}

impl ChatFormat {
    /// Compiles a template and learns the spellings that are its own.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`] if it is blank; [`Error::InvalidTemplate`] if it does not compile.
    pub fn new(source: &str, special_tokens: &SpecialTokens, tokenizer: &dyn Tokenizer) -> Result<Self> {
        if source.trim().is_empty() {
            return Err(Error::NoChatTemplate);
        }
        let special_tokens = special_tokens.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let template = ChatTemplate::new(source)?.with_special_tokens(special_tokens);
        let reserved = reserved(tokenizer, source);
        let unseen = reserved.iter().filter(|(token, _)| tokenizer.bytes(*token).is_empty()).copied();
        let unseen = Guard::new(&unseen.collect::<Vec<_>>())?;
        Ok(Self { template, guard: Guard::new(&reserved)?, unseen, used: markers_in(source) })
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
        let (text, guarded) = self.guarded(self.template.adapt(messages, options)?)?;
        let mut tokens = Vec::with_capacity(text.len() / 3 + 8);
        if let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) {
            let written = tokenizer.spelling(bos).is_some_and(|spelling| text.starts_with(spelling));
            if !written || guarded.first().is_some_and(|first| first.start == 0) {
                tokens.push(bos);
            }
        }
        tokenizer.encode_guarded(&text, self.guard.within(&guarded), &mut tokens)?;
        Ok(tokens)
    }

    /// The rendered text, and the places in it where others wrote what only the template may write.
    ///
    /// Marked texts must not make another prompt than [`render`](Self::render) shows. They would where a template looks
    /// for a spelling: most take what a model thought out of its earlier answers, up to `</think>`. Then tokens that are
    /// seen when a model writes them are left unmarked in what it wrote, and mean again what they were. If a template
    /// looks for a token that nobody sees, it does not find it.
    fn guarded(&self, adapted: Adapted) -> Result<(String, Vec<Range<usize>>)> {
        let Adapted { messages, options, text: shown } = adapted;
        let mut used = self.used;
        let mut touched = false;
        for fields in messages.iter().map(AsRef::as_ref).chain([&options.variables]) {
            touched |= self.guard.touches_fields(fields, &mut used);
        }
        for json in options.tools.iter().chain(&options.documents) {
            touched |= self.guard.touches(json, &mut used);
        }
        if !touched {
            return Ok((shown, Vec::new()));
        }
        let marker = unused_marker(used).ok_or_else(|| Error::Failed {
            reason: "the messages use every Unicode noncharacter from U+FDD0 to U+FDEF".into(),
        })?;
        let mark = |json: &Option<_>| json.as_ref().map(|json| self.guard.mark(json, marker));
        let marked_options = RenderOptions {
            tools: mark(&options.tools),
            documents: mark(&options.documents),
            variables: self.guard.mark_fields(&options.variables, marker),
            ..options.clone().into_owned()
        };
        let render = |of_model: &Guard| {
            let guard = |fields: &Fields| if is_of_model(fields) { of_model } else { &self.guard };
            let texts = messages.iter().map(|fields| Cow::Owned(guard(fields).mark_fields(fields, marker)));
            let rendered = self.template.run(&texts.collect::<Vec<_>>(), &marked_options)?;
            Ok::<_, Error>(self.guard.unmark(&rendered, marker))
        };
        let all = render(&self.guard);
        let is_shown = |made: &(String, _)| made.0 == shown;
        if !all.as_ref().is_ok_and(&is_shown)
            && let Some(made) = render(&self.unseen).ok().filter(is_shown)
        {
            return Ok(made);
        }
        all
    }
}

/// Whether the model wrote this message.
fn is_of_model(fields: &Fields) -> bool {
    fields.get("role").is_some_and(|role| role == "assistant" || role == "model")
}
