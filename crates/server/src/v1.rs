//! What is at an address of its own, whatever protocol.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use crate::app::App;
use crate::listed::listed;
use crate::{Refusal, openai};

/// `GET /v1/models`: those on this machine, and those in memory.
pub(crate) async fn models(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let all = listed(&app).await?;
    Ok(Json(openai::models::list(&all)))
}

/// `GET /v1/models/NAME`.
pub(crate) async fn model(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let name = app.served.name(&id)?;
    let found = listed(&app).await?.into_iter().find(|it| it.name == name);
    let found = found.ok_or_else(|| Refusal::no_model(&id))?;
    Ok(Json(openai::models::said(&found)))
}
