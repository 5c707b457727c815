//! `POST /api/generate`.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json as value};
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use super::keep_alive::KeepAlive;
use super::options::Options;
use super::said::{Kind, Said, logprobs};
use crate::Refusal;
use crate::app::App;
use crate::ask::{Ask, Asked};
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::options::Scope;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[serde(alias = "name")]
    model: String,
    prompt: Option<String>,
    system: Option<String>,
    raw: Option<bool>,
    options: Option<Options>,
    keep_alive: Option<KeepAlive>,
    stream: Option<bool>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    suffix: Option<String>,
    template: Option<String>,
    context: Option<Vec<i64>>,
    images: Option<Vec<Value>>,
    format: Option<Value>,
    think: Option<Value>,
}

/// Answers a prompt: in the model's own form of a chat, if it has one.
pub(crate) async fn generate(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let start = Instant::now();
    let (Input { fields: wanted, unknown }, size) = request(&app, body, json::<Wanted>).await?;
    wanted.check()?;
    let logprobs = logprobs(wanted.logprobs, wanted.top_logprobs)?;
    let tells_logprobs = logprobs.is_some();
    let said = Said { model: wanted.model.clone(), kind: Kind::Text, start, tells_logprobs };
    let Some(text) = wanted.prompt.filter(|prompt| !prompt.is_empty()) else {
        return Ok(telling(said.nothing(&app, scope, wanted.keep_alive).await?, &unknown));
    };
    let prompt = asked(text, wanted.system.filter(|system| !system.is_empty()), wanted.raw == Some(true))?;
    let ask = Ask {
        model: wanted.model,
        prompt,
        settings: wanted.options.unwrap_or_default().settings(logprobs),
        scope,
        keep: wanted.keep_alive.map(|keep| keep.0),
        size,
    };
    Ok(telling(said.answer(&app, ask, wanted.stream.unwrap_or(true)).await?, &unknown))
}

fn asked(text: String, system: Option<String>, is_raw: bool) -> Result<Asked, Refusal> {
    if is_raw {
        return match system {
            Some(_) => Err(Refusal::field("system", "given", "nothing beside raw")),
            None => Ok(Asked::Text(text)),
        };
    }
    let user = value!({ "role": "user", "content": text });
    let Some(system) = system else { return Ok(Asked::Turn { messages: Message::list(vec![user])?, text }) };
    // A model without a form for chats has no place for it, and says so.
    let messages = Message::list(vec![value!({ "role": "system", "content": system }), user])?;
    Ok(Asked::Chat { messages, options: Box::new(RenderOptions::default()) })
}

impl Wanted {
    fn check(&self) -> Result<(), Refusal> {
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        for (field, is_given) in [
            ("suffix", has(&self.suffix)),
            ("template", has(&self.template)),
            ("context", self.context.as_ref().is_some_and(|tokens| !tokens.is_empty())),
            ("images", self.images.as_ref().is_some_and(|images| !images.is_empty())),
        ] {
            if is_given {
                return Err(Refusal::unsupported(field, field));
            }
        }
        check_form(self.format.as_ref(), self.think.as_ref())
    }
}

/// Forms of answers, and thoughts apart from them, are refused by name until something keeps a model to them.
pub(super) fn check_form(format: Option<&Value>, think: Option<&Value>) -> Result<(), Refusal> {
    if let Some(format) = format.filter(|format| !format.is_null() && *format != "") {
        let what = if format.is_object() { "a schema".into() } else { format!("{format:.50}") };
        return Err(Refusal::unsupported(&format!("an answer in the form of {what}"), "format"));
    }
    match think {
        Some(think) if *think != false => Err(Refusal::unsupported("thinking apart from the answer", "think")),
        _ => Ok(()),
    }
}
