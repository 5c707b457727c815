//! What two protocols have at one address: whoever asks is answered in its own words.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::Value;

use crate::app::App;
use crate::form::Form;
use crate::listed::listed;
use crate::tail::Tail;
use crate::{Refusal, anthropic, openai};

/// `GET /v1/models`: those on this machine, and those in memory.
pub(crate) async fn models(
    State(app): State<Arc<App>>,
    Extension(form): Extension<Form>,
) -> Result<Json<Value>, Refusal> {
    let all = listed(&app).await?;
    Ok(Json(if form == Form::Anthropic { anthropic::models::list(&all) } else { openai::models::list(&all) }))
}

/// `GET /v1/models/NAME`.
pub(crate) async fn model(
    State(app): State<Arc<App>>,
    Extension(form): Extension<Form>,
    Tail(id): Tail,
) -> Result<Json<Value>, Refusal> {
    let name = app.served.name(&id)?;
    let found = listed(&app).await?.into_iter().find(|it| it.name == name);
    let found = found.ok_or_else(|| Refusal::no_model(&id))?;
    Ok(Json(if form == Form::Anthropic { anthropic::models::said(&found) } else { openai::models::said(&found) }))
}
