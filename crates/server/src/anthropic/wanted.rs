//! What a client sends, and what it asks for by that.

use serde::Deserialize;
use serde_json::{Value, json};
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use crate::Refusal;
use crate::ask::{Ask, Asked, Settings};
use crate::messages::{check_last, check_parts};
use crate::options::Scope;

/// The question: what is counted, too.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Question {
    pub(super) model: String,
    messages: Vec<Value>,
    #[schema(inline)]
    system: Option<System>,
    tools: Option<Vec<Value>>,
    #[schema(inline)]
    tool_choice: Option<Kind>,
    #[schema(inline)]
    thinking: Option<Kind>,
}

/// A text, or blocks.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text or a list of blocks of text")]
enum System {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Deserialize, ToSchema)]
struct Block {
    r#type: String,
    text: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct Kind {
    r#type: String,
}

/// How it is to be answered.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Manner {
    max_tokens: u32,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    pub(super) stop_sequences: Option<Vec<String>>,
    pub(super) stream: Option<bool>,
}

impl Manner {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            max_tokens: Some(self.max_tokens),
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            stop: self.stop_sequences.clone(),
            ..Settings::default()
        }
    }
}

impl Question {
    pub(super) fn ask(self, settings: Settings, scope: Scope, size: usize) -> Result<Ask, Refusal> {
        let is_without = self.tool_choice.is_some_and(|choice| choice.r#type == "none");
        if self.tools.is_some_and(|tools| !tools.is_empty()) && !is_without {
            return Err(Refusal::unsupported("tools", "tools").advising("leave them out"));
        }
        if self.thinking.is_some_and(|thinking| thinking.r#type != "disabled") {
            return Err(Refusal::unsupported("thinking apart from the answer", "thinking"));
        }
        if self.messages.is_empty() {
            return Err(Refusal::field("messages", "empty", "at least one"));
        }
        for (index, message) in self.messages.iter().enumerate() {
            if message["role"] != "user" && message["role"] != "assistant" {
                let found = format!("{:.50}", message["role"].to_string());
                return Err(Refusal::field(&format!("messages[{index}].role"), &found, "\"user\" or \"assistant\""));
            }
        }
        check_parts(&self.messages, &["text"])?;
        check_last(&self.messages)?;
        let system = self.system.map(System::text).transpose()?.filter(|text| !text.is_empty());
        let system = system.map(|text| json!({ "role": "system", "content": text }));
        let messages = Message::list(system.into_iter().chain(self.messages).collect());
        let messages = messages.map_err(|error| Refusal::of(&error).about("messages"))?;
        let prompt = Asked::Chat { messages, options: Box::new(RenderOptions::default()) };
        Ok(Ask { model: self.model, prompt, settings, scope, keep: None, size })
    }
}

impl System {
    /// Blocks are lines.
    fn text(self) -> Result<String, Refusal> {
        let blocks = match self {
            Self::Text(text) => return Ok(text),
            Self::Blocks(blocks) => blocks,
        };
        let texts = blocks.into_iter().enumerate().map(|(index, Block { r#type, text })| match text {
            Some(text) if r#type == "text" => Ok(text),
            _ => Err(Refusal::unsupported(&format!("a block of type {type:.50}"), &format!("system[{index}]"))),
        });
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
    }
}
