//! `POST /api/embed`, and `/api/embeddings` as it was before.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json as value};
use utoipa::ToSchema;

use super::keep_alive::KeepAlive;
use super::name::known;
use crate::Refusal;
use crate::answer::lease;
use crate::app::App;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::options::Scope;
use crate::texts::OneOrMany;
use crate::vectors::{check_width, vectors};

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[serde(alias = "name")]
    model: String,
    input: OneOrMany,
    truncate: Option<bool>,
    dimensions: Option<usize>,
    keep_alive: Option<KeepAlive>,
}

/// Makes vectors of texts, of length 1; texts that are too long are cut unless the client says otherwise.
pub(crate) async fn embed(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let start = Instant::now();
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Wanted>).await?;
    let texts: Vec<String> = wanted.input.into();
    let lease = lease(&app, &known(&app, &wanted.model).await?, scope, wanted.keep_alive.map(|keep| keep.0)).await?;
    let load = start.elapsed();
    // Without texts it only has the model here.
    let (embeddings, tokens) = if texts.is_empty() {
        (Vec::new(), 0)
    } else {
        let (vectors, tokens) = vectors(lease, texts, "input", wanted.truncate.unwrap_or(true)).await?;
        check_width(&vectors, wanted.dimensions)?;
        (vectors.numbers.chunks_exact(vectors.width).map(Value::from).collect(), tokens)
    };
    let answer = value!({
        "model": wanted.model,
        "embeddings": embeddings,
        "total_duration": start.elapsed().as_nanos() as u64,
        "load_duration": load.as_nanos() as u64,
        "prompt_eval_count": tokens,
    });
    Ok(telling(Json(answer).into_response(), &unknown))
}

/// What a client sends who knows no better.
#[derive(Deserialize, ToSchema)]
pub(crate) struct One {
    #[serde(alias = "name")]
    model: String,
    prompt: Option<String>,
    keep_alive: Option<KeepAlive>,
}

/// Makes a vector of one text.
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<One>).await?;
    let lease = lease(&app, &known(&app, &wanted.model).await?, scope, wanted.keep_alive.map(|keep| keep.0)).await?;
    let embedding = match wanted.prompt.filter(|prompt| !prompt.is_empty()) {
        Some(prompt) => vectors(lease, vec![prompt], "prompt", true).await?.0.numbers,
        None => Vec::new(),
    };
    Ok(telling(Json(value!({ "embedding": embedding })).into_response(), &unknown))
}
