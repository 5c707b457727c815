//! Text above the engines: messages to a prompt, bytes of tokens to text.
//!
//! On the way in, [`ChatFormat`] renders messages with the model's own template (the Jinja dialect of Hugging Face's
//! `apply_chat_template`) and tokenises the result such that nothing a user wrote becomes a control token. A model
//! without a template has no chat: the wrong format costs answers silently, so none is guessed.
//!
//! On the way out, [`Assembler`] puts characters together from the bytes of tokens ([`Detokenizer`]) and ends before
//! a stop string ([`StopMatcher`]), however either is cut into tokens.
//!
//! Tokenizers themselves belong to the engines and stand behind [`trillm_core::Tokenizer`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod assembler;
mod bounds;
mod calls;
mod chat;
mod content;
mod detokenizer;
mod error;
mod expression;
mod filters;
mod floats;
mod form;
mod format;
mod formats;
mod generators;
mod globals;
mod groups;
mod guard;
mod inspected;
mod json;
mod kinds;
mod late;
mod lazy;
mod letters;
mod literal;
mod look;
mod macros;
mod markup;
mod message;
mod method;
mod numbers;
mod operators;
mod parts;
mod path;
mod percent;
mod pprint;
mod provenance;
mod pycompat;
mod python;
mod ranks;
mod reserved;
mod rewrite;
mod sandbox;
mod slices;
mod spec;
mod stop;
mod targets;
mod template;
mod tojson;
mod tokens;
mod tools;
mod translate;
mod urlize;
mod veil;
mod white;
mod wrap;
mod written;

pub use assembler::Assembler;
pub use chat::{ChatFormat, SpecialTokens};
pub use detokenizer::Detokenizer;
pub use error::{Error, Result};
pub use formats::ChatFormats;
pub use json::read_json;
pub use message::Message;
pub use stop::StopMatcher;
pub use template::{ChatTemplate, RenderOptions};
