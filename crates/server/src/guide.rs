//! The routes of the guide that trillm was founded on: models by name, and texts.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use utoipa::ToSchema;

use crate::Refusal;
use crate::answer::Answer;
use crate::app::App;
use crate::ask::{Ask, Asked, Settings};
use crate::health;
use crate::input::{Input, json, request};
use crate::listed::listed;
use crate::options::Scope;

/// A refusal in the guide's words: a text.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    error: String,
    code: String,
    /// The field that is to blame.
    #[schema(required)]
    param: Option<String>,
}

/// It.
pub(crate) fn refused(refusal: &Refusal) -> Value {
    value!(Refused { error: refusal.text(), code: refusal.code.to_string(), param: refusal.field.clone() })
}

/// `GET /models`.
pub(crate) async fn models(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let available: Vec<Value> =
        listed(&app).await?.iter().map(|it| value!({ "name": it.name, "bytes": it.bytes })).collect();
    let (loaded, coming) = (health::loaded(&app), health::coming(&app));
    Ok(Json(value!({ "loaded": loaded, "coming": coming, "available": available })))
}

/// What a client sends to `POST /generate`, in either case of letters.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: Option<String>,
    prompt: Option<String>,
    #[serde(alias = "maxTokens")]
    max_tokens: Option<u32>,
    temperature: Option<f32>,
    #[serde(alias = "topP")]
    top_p: Option<f32>,
    #[serde(alias = "topK")]
    top_k: Option<u32>,
    #[serde(alias = "minP")]
    min_p: Option<f32>,
    #[serde(alias = "repetitionPenalty", alias = "repeatPenalty", alias = "repeat_penalty")]
    repetition_penalty: Option<f32>,
    #[serde(alias = "stopSequences")]
    stop: Option<Vec<String>>,
    seed: Option<u64>,
}

/// Tokens of an answer for which nobody set a bound.
const USUAL: u32 = 256;

/// `POST /generate`: a text continued, by a model that is loaded for it.
pub(crate) async fn generate(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let start = Instant::now();
    let (Input { fields: wanted, unknown }, size) = request(&app, body, json::<Wanted>).await?;
    let missing = |name| Refusal::field(name, "missing", "a text");
    let model = wanted.model.filter(|model| !model.is_empty()).ok_or_else(|| missing("model"))?;
    let prompt = wanted.prompt.filter(|prompt| !prompt.is_empty()).ok_or_else(|| missing("prompt"))?;
    let settings = Settings {
        max_tokens: Some(wanted.max_tokens.unwrap_or(USUAL)),
        temperature: wanted.temperature,
        top_p: wanted.top_p,
        top_k: wanted.top_k,
        min_p: wanted.min_p,
        repetition_penalty: wanted.repetition_penalty,
        stop: wanted.stop,
        seed: wanted.seed,
        ..Settings::default()
    };
    let ask = Ask { model: model.clone(), prompt: Asked::Text(prompt), settings, scope, keep: None, size };
    let done = Answer::begin(&app, ask).await?.collect().await?;
    let latency = start.elapsed().as_secs_f64();
    let answer = value!({
        "model": model,
        "text": done.text,
        "finish_reason": done.finish_reason.name(),
        "usage": {
            "prompt_tokens": done.usage.prompt_tokens,
            "completion_tokens": done.usage.completion_tokens,
            "total_tokens": done.usage.prompt_tokens + done.usage.completion_tokens,
        },
        "latency": latency,
        "stats": health::stats(&app),
        "ignored": unknown,
    });
    Ok(Json(answer).into_response())
}
