//! What generation starts from.

use trillm_core::{Error as CoreError, Token, Tokenizer, memory};
use trillm_text::{ChatFormats, Error as TextError, Message, RenderOptions};

use crate::{Error, Result};

/// Bytes that rendering takes for each of the messages' own: values for the template, what it makes of them, and all
/// that once more under a veil.
const RENDERED: usize = 10;

/// What generation starts from.
#[derive(Clone, Copy, Debug)]
pub enum Prompt<'a> {
    /// A text to continue.
    Text {
        /// The text.
        text: &'a str,
        /// Put the model's BOS before it.
        add_special: bool,
        /// Read control tokens written out in it as such: never with a user's text.
        parse_special: bool,
    },
    /// Token ids.
    Tokens(&'a [Token]),
    /// A conversation to answer, by the model's chat template.
    Chat {
        /// The messages: at least one.
        messages: &'a [Message],
        /// What else the template is told.
        options: &'a RenderOptions,
        /// A template to use instead of the model's own.
        template: Option<&'a str>,
    },
}

impl<'a> Prompt<'a> {
    /// A text to continue, with BOS if the model wants it, all of it read as plain text.
    pub fn text(text: &'a str) -> Self {
        Self::Text { text, add_special: true, parse_special: false }
    }

    /// A conversation to answer with the model's own template.
    pub fn chat(messages: &'a [Message], options: &'a RenderOptions) -> Self {
        Self::Chat { messages, options, template: None }
    }

    /// The tokens of this prompt; `system` is for chats that have none, `chats` are the model's own formats.
    pub(crate) fn encode(
        &self,
        tokenizer: &dyn Tokenizer,
        system: Option<&str>,
        chats: &ChatFormats,
    ) -> Result<Vec<Token>> {
        match *self {
            Self::Text { text, add_special, parse_special } => {
                let mut tokens = Vec::new();
                tokenizer.encode(text, add_special, parse_special, &mut tokens)?;
                Ok(tokens)
            }
            Self::Tokens(tokens) => {
                if let Some(index) = tokens.iter().position(|token| token.0 >= tokenizer.vocabulary()) {
                    return Err(CoreError::InvalidParameter {
                        name: "prompt",
                        found: format!(
                            "token {} at index {index}, beyond the last one, {}",
                            tokens[index].0,
                            tokenizer.vocabulary().saturating_sub(1),
                        ),
                        expected: "ids of this model's vocabulary",
                    }
                    .into());
                }
                let mut copy = Vec::new();
                memory::reserve(&mut copy, tokens.len(), "a prompt")?;
                copy.extend(tokens);
                Ok(copy)
            }
            // Templates make something of it, which nobody meant to ask: a greeting to nobody.
            Self::Chat { messages: [], .. } => Err(CoreError::InvalidParameter {
                name: "messages",
                found: "empty".into(),
                expected: "at least one message",
            }
            .into()),
            Self::Chat { messages, options, template } => with_system(messages, system, |messages| {
                Ok(match template {
                    Some(source) => chats.other(source, tokenizer)?.encode(tokenizer, messages, options)?,
                    None => chats.choose(options, tokenizer)?.encode(tokenizer, messages, options)?,
                })
            }),
        }
    }
}

/// Does `work` with `messages`, after the message `system` if there is one and they have none. Errors count the messages
/// that were given.
pub(crate) fn with_system<T>(
    messages: &[Message],
    system: Option<&str>,
    work: impl FnOnce(&[Message]) -> Result<T>,
) -> Result<T> {
    memory::check::<[u8; RENDERED]>(messages.iter().map(Message::bytes).sum(), "a chat")?;
    match (messages.first(), system) {
        (Some(first), Some(system)) if !matches!(first.role(), "system" | "developer") => {
            let all: Vec<_> = [Message::new("system", system)].into_iter().chain(messages.iter().cloned()).collect();
            work(&all).map_err(|error| match error {
                Error::Text(TextError::InvalidMessage { index, reason }) if index > 0 => {
                    TextError::InvalidMessage { index: index - 1, reason }.into()
                }
                Error::Text(TextError::PartNotShown { index, what }) if index > 0 => {
                    TextError::PartNotShown { index: index - 1, what }.into()
                }
                other => other,
            })
        }
        _ => work(messages),
    }
}
