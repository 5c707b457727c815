//! `POST /v1/messages`, and `/v1/messages/count_tokens`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json as value;

use super::head::Head;
use super::streaming::Events;
use super::wanted::{Manner, Question};
use crate::Refusal;
use crate::answer::{Answer, count};
use crate::app::App;
use crate::ask::Settings;
use crate::ignored::telling;
use crate::input::{Input, halves, json, request};
use crate::options::Scope;
use crate::sse;
use crate::telling::Telling;

/// An event that says nothing.
const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// Answers a chat.
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (input, size) = request(&app, body, halves::<Question, Manner>).await?;
    let Input { fields: (question, manner), unknown } = input;
    let head = Head { id: app.id("msg"), model: question.model.clone(), stops: manner.stop_sequences.clone() };
    let answer = Answer::begin(&app, question.ask(manner.settings(), scope, size)?).await?;
    let response = if manner.stream.unwrap_or(false) {
        let tokens = answer.prompt_tokens;
        sse::events(Telling::new(Events { head, tokens }, answer), PING)
    } else {
        let completion = answer.collect().await?;
        let content = value!([{ "type": "text", "text": completion.text }]);
        let end = head.reason(completion.finish_reason);
        Json(head.message(&content, end, completion.usage)).into_response()
    };
    Ok(telling(response, &unknown))
}

/// Counts the tokens of a question.
pub(crate) async fn count_tokens(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: question, unknown }, size) = request(&app, body, json::<Question>).await?;
    let tokens = count(&app, question.ask(Settings::default(), scope, size)?).await?;
    Ok(telling(Json(value!({ "input_tokens": tokens })).into_response(), &unknown))
}
