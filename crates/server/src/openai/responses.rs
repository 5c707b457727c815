//! `POST /v1/responses`: texts. Nothing is kept between requests, and each answer says so.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json as value};
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use super::response::Head;
use super::response_events::Events;
use crate::Refusal;
use crate::answer::Answer;
use crate::app::App;
use crate::ask::{Ask, Asked, Settings};
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::messages::check_last;
use crate::options::Scope;
use crate::sse;
use crate::telling::Telling;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: String,
    #[schema(inline)]
    input: Given,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    stream: Option<bool>,
    /// What it is by default with OpenAI is not done here, and the answer says so.
    #[expect(dead_code, reason = "known, and whatever it says nothing is kept")]
    store: Option<bool>,
    metadata: Option<Map<String, Value>>,
    previous_response_id: Option<String>,
    conversation: Option<Value>,
    background: Option<bool>,
    truncation: Option<String>,
    #[schema(inline)]
    text: Option<Text>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
}

/// A text, or items.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text or a list of messages")]
enum Given {
    Text(String),
    Items(Vec<Value>),
}

#[derive(Deserialize, ToSchema)]
struct Text {
    #[schema(inline)]
    format: Option<Format>,
}

#[derive(Deserialize, ToSchema)]
struct Format {
    r#type: String,
}

/// Answers.
pub(crate) async fn responses(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: mut wanted, unknown }, size) = request(&app, body, json::<Wanted>).await?;
    wanted.check()?;
    let head = Head {
        model: wanted.model.clone(),
        instructions: wanted.instructions.clone(),
        max_output_tokens: wanted.max_output_tokens,
        temperature: wanted.temperature,
        top_p: wanted.top_p,
        metadata: wanted.metadata.take().unwrap_or_default(),
        ..Head::new(&app)
    };
    let streams = wanted.stream.unwrap_or(false);
    let answer = Answer::begin(&app, wanted.ask(scope, size)?).await?;
    let response = if streams {
        sse::events(Telling::new(Events::new(head), answer), sse::COMMENT)
    } else {
        let completion = answer.collect().await?;
        Json(head.ended(&completion)).into_response()
    };
    Ok(telling(response, &unknown))
}

impl Wanted {
    fn check(&self) -> Result<(), Refusal> {
        for (field, is_given) in [
            ("previous_response_id", self.previous_response_id.is_some()),
            ("conversation", self.conversation.is_some()),
        ] {
            if is_given {
                let refusal = Refusal::unsupported(field, field);
                return Err(refusal.advising("nothing is kept here: send the whole conversation as input"));
            }
        }
        if self.background == Some(true) {
            return Err(Refusal::unsupported("background", "background"));
        }
        if self.truncation.as_ref().is_some_and(|how| how != "disabled") {
            return Err(Refusal::unsupported("cutting of what is too long", "truncation"));
        }
        let format = self.text.as_ref().and_then(|text| text.format.as_ref()).filter(|format| format.r#type != "text");
        if let Some(Format { r#type }) = format {
            return Err(Refusal::unsupported(&format!("an answer in the form {type:.50?}"), "text.format"));
        }
        let is_without = self.tool_choice.as_ref().is_some_and(|choice| choice == "none");
        if self.tools.as_ref().is_some_and(|tools| !tools.is_empty()) && !is_without {
            let refusal = Refusal::unsupported("tools", "tools");
            return Err(refusal.advising("leave them out, or set tool_choice to \"none\""));
        }
        Ok(())
    }

    fn ask(self, scope: Scope, size: usize) -> Result<Ask, Refusal> {
        let system = self.instructions.filter(|text| !text.is_empty());
        let mut messages: Vec<Value> =
            system.into_iter().map(|text| value!({ "role": "system", "content": text })).collect();
        match self.input {
            Given::Text(text) => messages.push(value!({ "role": "user", "content": text })),
            Given::Items(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    messages.push(message(index, &item)?);
                }
            }
        }
        check_last(&messages)?;
        let messages = Message::list(messages).map_err(|error| Refusal::of(&error).about("input"))?;
        Ok(Ask {
            model: self.model,
            prompt: Asked::Chat { messages, options: Box::new(RenderOptions::default()) },
            settings: Settings {
                max_tokens: self.max_output_tokens,
                temperature: self.temperature,
                top_p: self.top_p,
                ..Settings::default()
            },
            scope,
            keep: None,
            size,
        })
    }
}

/// An item as a message of a chat: parts of text are called so there.
fn message(index: usize, item: &Value) -> Result<Value, Refusal> {
    let kind = item["type"].as_str().unwrap_or("message");
    if kind != "message" {
        return Err(Refusal::unsupported(&format!("an item of type {kind:.50}"), &format!("input[{index}]")));
    }
    let role = item["role"].as_str().unwrap_or_default();
    if role.is_empty() {
        return Err(Refusal::field(&format!("input[{index}].role"), "missing", "a text"));
    }
    let Some(parts) = item["content"].as_array() else {
        return Ok(value!({ "role": role, "content": item["content"] }));
    };
    let text = |(at, part): (usize, &Value)| match (part["type"].as_str(), part["text"].as_str()) {
        (Some("input_text" | "output_text" | "text"), Some(text)) => Ok(value!({ "type": "text", "text": text })),
        (kind, _) => {
            let what = format!("a part of type {:.50}", kind.unwrap_or("none"));
            Err(Refusal::unsupported(&what, &format!("input[{index}].content[{at}]")))
        }
    };
    let parts = parts.iter().enumerate().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(value!({ "role": role, "content": parts }))
}
