//! `POST /v1/chat/completions`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trillm_core::Piece;
use trillm_llm::Completion;
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use super::settings::{Sampling, count};
use super::streaming::{Head, StreamOptions, Whole, Words, stream};
use super::usage::Used;
use crate::Refusal;
use crate::answer::{Answer, collected};
use crate::app::App;
use crate::ask::{Ask, Asked};
use crate::ignored::telling;
use crate::input::{Input, halves, request};
use crate::logprobs::Content;
use crate::messages::check_parts;
use crate::options::Scope;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: String,
    messages: Vec<Value>,
    max_completion_tokens: Option<u32>,
    max_tokens: Option<u32>,
    n: Option<u32>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    #[schema(inline)]
    response_format: Option<Format>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    functions: Option<Vec<Value>>,
    modalities: Option<Vec<String>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    chat_template_kwargs: Option<Map<String, Value>>,
}

#[derive(Deserialize, ToSchema)]
struct Format {
    r#type: String,
}

/// Answers a chat.
pub(crate) async fn chat(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (input, size) = request(&app, body, halves::<Wanted, Sampling>).await?;
    let Input { fields: (wanted, sampling), unknown } = input;
    let count = count(wanted.n)?;
    let streams = wanted.stream.unwrap_or(false);
    let object = if streams { "chat.completion.chunk" } else { "chat.completion" };
    let head = Head::new(&app, "chatcmpl", object, &wanted.model);
    let tells_usage = wanted.stream_options.as_ref().and_then(|it| it.include_usage).unwrap_or(false);
    let tells_logprobs = wanted.logprobs.unwrap_or(false);
    let answers = Answer::begin_several(&app, wanted.ask(sampling, scope, size)?, count).await?;
    let response = if streams {
        stream(head, Deltas { tells_logprobs }, answers, tells_usage)
    } else {
        let completions = collected(answers).await?;
        Json(Whole::of_chat(head, &completions, tells_logprobs)).into_response()
    };
    Ok(telling(response, &unknown))
}

impl Wanted {
    fn ask(self, sampling: Sampling, scope: Scope, size: usize) -> Result<Ask, Refusal> {
        if let Some(Format { r#type }) = self.response_format.filter(|format| format.r#type != "text") {
            return Err(Refusal::unsupported(&format!("response_format {type:?}"), "response_format"));
        }
        let is_without = self.tool_choice.is_some_and(|choice| choice == "none");
        if self.tools.is_some_and(|tools| !tools.is_empty()) && !is_without {
            return Err(
                Refusal::unsupported("tools", "tools").advising("leave them out, or set tool_choice to \"none\"")
            );
        }
        // As tools were called before.
        if self.functions.is_some_and(|functions| !functions.is_empty()) {
            return Err(Refusal::unsupported("functions", "functions"));
        }
        if let Some(kind) = self.modalities.iter().flatten().find(|kind| *kind != "text") {
            return Err(Refusal::unsupported(&format!("an answer of {kind:.50}"), "modalities"));
        }
        let logprobs = match (self.logprobs.unwrap_or(false), self.top_logprobs) {
            (false, Some(_)) => return Err(Refusal::field("top_logprobs", "given", "logprobs beside it")),
            (true, top) => Some(top.unwrap_or(0)),
            (false, None) => None,
        };
        check_parts(&self.messages, &["text"])?;
        let messages = Message::list(self.messages).map_err(|error| Refusal::of(&error).about("messages"))?;
        let options =
            RenderOptions { variables: self.chat_template_kwargs.unwrap_or_default(), ..RenderOptions::default() };
        Ok(Ask {
            model: self.model,
            prompt: Asked::Chat { messages, options: Box::new(options) },
            settings: sampling.settings(self.max_completion_tokens.or(self.max_tokens), logprobs)?,
            scope,
            keep: None,
            size,
        })
    }
}

#[derive(Serialize)]
struct Choice {
    index: usize,
    message: Said,
    logprobs: Option<Content>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Said {
    role: &'static str,
    content: String,
    refusal: Option<()>,
}

impl Whole<Choice> {
    fn of_chat(head: Head, completions: &[Completion], tells_logprobs: bool) -> Self {
        let choice = |(index, it): (usize, &Completion)| Choice {
            index,
            message: Said { role: "assistant", content: it.text.clone(), refusal: None },
            logprobs: tells_logprobs.then(|| Content::of(it.logprobs.iter().map(|all| &**all))),
            finish_reason: it.finish_reason.name(),
        };
        let usage = Used::of(completions.iter().map(|it| it.usage));
        Self { head, choices: completions.iter().enumerate().map(choice).collect(), usage }
    }
}

/// Parts of a chat's answer.
struct Deltas {
    tells_logprobs: bool,
}

#[derive(Serialize)]
struct Change {
    index: usize,
    delta: Fragment,
    logprobs: Option<Content>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Fragment {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl Words for Deltas {
    type Choice = Change;

    fn first(&mut self, index: usize) -> Option<Change> {
        let delta = Fragment { role: Some("assistant"), content: Some(String::new()) };
        Some(Change { index, delta, logprobs: None, finish_reason: None })
    }

    fn piece(&mut self, index: usize, piece: &Piece) -> Change {
        let logprobs = self.tells_logprobs.then(|| Content::of(piece.logprobs.as_deref()));
        let delta = Fragment { role: None, content: Some(piece.text.as_str().to_owned()) };
        Change { index, delta, logprobs, finish_reason: None }
    }

    fn last(&mut self, index: usize, reason: &'static str) -> Change {
        Change { index, delta: Fragment::default(), logprobs: None, finish_reason: Some(reason) }
    }
}
