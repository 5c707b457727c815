//! `POST /api/chat`.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use super::generate::check_form;
use super::keep_alive::KeepAlive;
use super::options::Options;
use super::said::{Kind, Said, logprobs};
use crate::Refusal;
use crate::app::App;
use crate::ask::{Ask, Asked};
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::messages::{check_last, check_parts};
use crate::options::Scope;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[serde(alias = "name")]
    model: String,
    messages: Option<Vec<Value>>,
    options: Option<Options>,
    keep_alive: Option<KeepAlive>,
    stream: Option<bool>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    tools: Option<Vec<Value>>,
    format: Option<Value>,
    think: Option<Value>,
}

/// Answers a chat.
pub(crate) async fn chat(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let start = Instant::now();
    let (Input { fields: wanted, unknown }, size) = request(&app, body, json::<Wanted>).await?;
    if wanted.tools.is_some_and(|tools| !tools.is_empty()) {
        return Err(Refusal::unsupported("tools", "tools"));
    }
    check_form(wanted.format.as_ref(), wanted.think.as_ref())?;
    let logprobs = logprobs(wanted.logprobs, wanted.top_logprobs)?;
    let tells_logprobs = logprobs.is_some();
    let said = Said { model: wanted.model.clone(), kind: Kind::Message, start, tells_logprobs };
    let Some(messages) = wanted.messages.filter(|messages| !messages.is_empty()) else {
        return Ok(telling(said.nothing(&app, scope, wanted.keep_alive).await?, &unknown));
    };
    for (index, message) in messages.iter().enumerate() {
        if message["images"].as_array().is_some_and(|images| !images.is_empty()) {
            return Err(Refusal::unsupported("a picture", &format!("messages[{index}].images")));
        }
    }
    check_parts(&messages, &["text"])?;
    check_last(&messages)?;
    let messages = Message::list(messages).map_err(|error| Refusal::of(&error).about("messages"))?;
    let ask = Ask {
        model: wanted.model,
        prompt: Asked::Chat { messages, options: Box::new(RenderOptions::default()) },
        settings: wanted.options.unwrap_or_default().settings(logprobs),
        scope,
        keep: wanted.keep_alive.map(|keep| keep.0),
        size,
    };
    Ok(telling(said.answer(&app, ask, wanted.stream.unwrap_or(true)).await?, &unknown))
}
