//! What a running request sends back.

use crate::{Error, Token, Tokenizer};

/// Text of one piece. Nearly always short, so it lies inline and costs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Repr);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr {
    Inline { len: u8, bytes: [u8; Text::INLINE] },
    Heap(Box<str>),
}

impl Text {
    /// The longest text, in bytes, that is held inline.
    pub const INLINE: usize = 22;

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes come from a `&str` of this length, so the check cannot fail.
            Repr::Inline { len, bytes } => std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default(),
            Repr::Heap(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.len() > Self::INLINE {
            return Self(Repr::Heap(text.into()));
        }
        let mut bytes = [0; Self::INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self(Repr::Inline { len: text.len() as u8, bytes })
    }
}

/// The log-probability of a token, natural logarithm, after temperature and before truncation by top-k and its like.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprob {
    /// The token.
    pub token: Token,
    /// Its log-probability.
    pub logprob: f32,
    /// Its text alone: U+FFFD for parts of characters; of control tokens, how they are spelled.
    pub text: Box<str>,
    /// The bytes that it adds to a text, which may be part of a character; none for control tokens.
    pub bytes: Box<[u8]>,
}

impl Logprob {
    /// Of a token whose spelling is not known here.
    pub fn new(token: Token, logprob: f32) -> Self {
        Self { token, logprob, text: Box::default(), bytes: Box::default() }
    }

    /// The same with its text and bytes.
    #[must_use]
    pub fn spelled(self, tokenizer: &dyn Tokenizer) -> Self {
        let bytes = tokenizer.bytes(self.token);
        let text = match tokenizer.spelling(self.token) {
            Some(spelling) if bytes.is_empty() => spelling.into(),
            _ => String::from_utf8_lossy(bytes).into(),
        };
        Self { text, bytes: bytes.into(), ..self }
    }
}

/// One generated token and the text it completed, which may be empty: a character can span tokens, and text that may
/// begin a stop string is held back.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The token; `None` when only held-back text is flushed at the end.
    pub token: Option<Token>,
    /// Text that is complete now.
    pub text: Text,
    /// If asked for: the token's own log-probability first, then the most probable tokens in order.
    pub logprobs: Option<Box<[Logprob]>>,
}

/// Why generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its text.
    Stop,
    /// A stop string came: the one at this place among the request's.
    StopString(usize),
    /// `max_tokens` were generated, or the context is full.
    Length,
}

impl FinishReason {
    /// The name used in the Python API and over HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop | Self::StopString(_) => "stop",
            Self::Length => "length",
        }
    }
}

/// Token counts of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Of those, tokens found in the cache and not computed again.
    pub cached_tokens: u32,
    /// Tokens generated, the one that ended the text not counted.
    pub completion_tokens: u32,
}

/// Where the time of one request went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// From submission until its first token was computed on.
    pub queue: f64,
    /// From then until the prompt was computed.
    pub prefill: f64,
    /// From then until the end.
    pub decode: f64,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended, or what went wrong.
    pub result: Result<FinishReason, Error>,
    /// Token counts.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
}
