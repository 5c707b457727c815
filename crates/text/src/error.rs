//! What can go wrong between messages and a prompt.

use trillm_core::{Class, Coded};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Messages that cannot become a prompt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The model's file names no chat template.
    #[error("the model has no chat template")]
    NoChatTemplate,
    /// The model has several chat templates, and none is for every chat.
    #[error("the model has chat templates for special purposes only: {}", names.join(", "))]
    NoDefaultTemplate {
        /// Their names.
        names: Vec<String>,
    },
    /// The model has no chat template of this name.
    #[error("the model has no chat template {name:?}, expected {}", expected(names))]
    UnknownTemplate {
        /// The name.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// The template is not valid Jinja.
    #[error("the chat template is invalid: {reason}")]
    InvalidTemplate {
        /// What is wrong, and where.
        reason: String,
    },
    /// The template itself refused the messages (`raise_exception`).
    #[error("the chat template refuses these messages: {reason}")]
    Refused {
        /// The template's own words.
        reason: String,
    },
    /// The template failed on these messages.
    #[error("the chat template failed: {reason}")]
    Failed {
        /// What went wrong, and where.
        reason: String,
    },
    /// The template took more work, memory or depth than any prompt needs.
    #[error("the chat template exceeded its {limit}")]
    Exceeded {
        /// Which limit, and how much it is.
        limit: &'static str,
    },
    /// The template shows no tools, and there are some.
    #[error("the chat template has no place for tools in these messages")]
    ToolsNotShown,
    /// The template does not show calls of tools, or their answers, and there are some.
    #[error("messages[{index}]: the chat template has no place for {what} in these messages")]
    PartNotShown {
        /// The message's place, counted from zero.
        index: usize,
        /// What is not shown.
        what: &'static str,
    },
    /// A message that is not one.
    #[error("messages[{index}]: {reason}")]
    InvalidMessage {
        /// Its place, counted from zero.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// The tokenizer failed, or there is no thread for the template.
    #[error(transparent)]
    Core(#[from] trillm_core::Error),
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::NoChatTemplate => (Class::ChatTemplate, "no_chat_template"),
            Self::NoDefaultTemplate { .. } => (Class::ChatTemplate, "no_default_chat_template"),
            Self::UnknownTemplate { .. } => (Class::ChatTemplate, "unknown_chat_template"),
            Self::InvalidTemplate { .. } => (Class::ChatTemplate, "invalid_chat_template"),
            Self::Refused { .. } => (Class::ChatTemplate, "chat_template_refused"),
            Self::Failed { .. } => (Class::ChatTemplate, "chat_template_failed"),
            Self::Exceeded { .. } => (Class::ChatTemplate, "chat_template_exceeded"),
            Self::ToolsNotShown => (Class::ChatTemplate, "tools_not_shown"),
            Self::PartNotShown { .. } => (Class::ChatTemplate, "calls_not_shown"),
            Self::InvalidMessage { .. } => (Class::InvalidRequest, "invalid_message"),
            Self::Core(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoChatTemplate => "use generate with a prompt, or pass a template".into(),
            Self::NoDefaultTemplate { .. } => "choose one by its name: template_name".into(),
            Self::InvalidTemplate { .. } | Self::Failed { .. } | Self::Exceeded { .. } => {
                "pass a template of your own (template)".into()
            }
            Self::ToolsNotShown => {
                "polyfill_tools puts them into the system message; or use a template that shows tools".into()
            }
            Self::PartNotShown { .. } => {
                "write them into the message's content as text, or use a template that shows them".into()
            }
            Self::Core(error) => return error.hint(),
            _ => return None,
        })
    }
}

fn expected(names: &[String]) -> String {
    if names.is_empty() { "no name: it has none".into() } else { format!("one of {}", names.join(", ")) }
}
