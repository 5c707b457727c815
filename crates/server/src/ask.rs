//! What a client asks for, in words of no protocol.

use trillm_core::{Request, Token};
use trillm_llm::{Llm, Prompt};
use trillm_runtime::Keep;
use trillm_text::{Message, RenderOptions};

use crate::options::Scope;

/// What a client asks a model for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// What the client calls the model.
    pub(crate) model: String,
    pub(crate) prompt: Asked,
    pub(crate) settings: Settings,
    /// What the client may do.
    pub(crate) scope: Scope,
    /// How long the model stays once nobody uses it; `None` for as long as others do.
    pub(crate) keep: Option<Keep>,
    /// Bytes of the request: long ones are not read on the event loop.
    pub(crate) size: usize,
}

/// What generation starts from.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Text(String),
    Tokens(Vec<Token>),
    Chat {
        messages: Vec<Message>,
        options: Box<RenderOptions>,
    },
    /// A text that a model that chats is asked, and any other continues.
    Turn {
        messages: Vec<Message>,
        text: String,
    },
}

impl Asked {
    pub(crate) fn prompt<'a>(&'a self, llm: &Llm, plain: &'a RenderOptions) -> Prompt<'a> {
        match self {
            Self::Turn { text, .. } if llm.info().chat_templates.is_empty() => Prompt::text(text),
            Self::Turn { messages, .. } => Prompt::chat(messages, plain),
            Self::Text(text) => Prompt::text(text),
            Self::Tokens(tokens) => Prompt::Tokens(tokens),
            Self::Chat { messages, options } => Prompt::chat(messages, options),
        }
    }
}

/// What a client chose; the rest is as the model's publisher recommends.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f32>,
    pub(crate) top_k: Option<u32>,
    pub(crate) top_p: Option<f32>,
    pub(crate) min_p: Option<f32>,
    pub(crate) typical_p: Option<f32>,
    pub(crate) repetition_penalty: Option<f32>,
    pub(crate) presence_penalty: Option<f32>,
    pub(crate) frequency_penalty: Option<f32>,
    pub(crate) repeat_last_n: Option<u32>,
    pub(crate) stop: Option<Vec<String>>,
    pub(crate) seed: Option<u64>,
    pub(crate) logit_bias: Vec<(Token, f32)>,
    pub(crate) logprobs: Option<u32>,
    pub(crate) ignore_eos: bool,
    pub(crate) priority: i32,
    /// Tokens of prompt and answer together, where that is fewer than the model holds.
    pub(crate) context: Option<u32>,
}

impl Settings {
    /// A request with these settings, and the others as it has them.
    pub(crate) fn over(&self, mut request: Request) -> Request {
        fn set<T: Clone>(place: &mut T, given: Option<&T>) {
            if let Some(given) = given {
                given.clone_into(place);
            }
        }
        let sampling = &mut request.sampling;
        set(&mut sampling.temperature, self.temperature.as_ref());
        set(&mut sampling.top_k, self.top_k.as_ref());
        set(&mut sampling.top_p, self.top_p.as_ref());
        set(&mut sampling.min_p, self.min_p.as_ref());
        set(&mut sampling.typical_p, self.typical_p.as_ref());
        set(&mut sampling.repetition_penalty, self.repetition_penalty.as_ref());
        set(&mut sampling.presence_penalty, self.presence_penalty.as_ref());
        set(&mut sampling.frequency_penalty, self.frequency_penalty.as_ref());
        set(&mut sampling.repeat_last_n, self.repeat_last_n.as_ref());
        sampling.logit_bias.clone_from(&self.logit_bias);
        sampling.seed = self.seed;
        sampling.logprobs = self.logprobs;
        set(&mut request.stop, self.stop.as_ref());
        request.max_tokens = self.max_tokens.or(request.max_tokens);
        request.ignore_eos = self.ignore_eos;
        request.priority = self.priority;
        request
    }
}
