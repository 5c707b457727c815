//! `GET /v1/models`, and one of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use trillm_core::Class;

use crate::Refusal;
use crate::app::App;
use crate::aside::aside;
use crate::served::Available;
use crate::tail::Tail;

/// All models: those on this machine, and those in memory.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let data: Vec<Value> = listed(&app).await?.iter().map(said).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// One model.
pub(crate) async fn one(State(app): State<Arc<App>>, Tail(id): Tail) -> Result<Json<Value>, Refusal> {
    let name = app.served.name(&id)?;
    let found = listed(&app).await?.into_iter().find(|it| it.name == name);
    let missing = || Refusal::new(Class::NotFound, "model_not_found", format!("there is no model {id:.200} here"));
    Ok(Json(said(&found.ok_or_else(missing)?)))
}

/// All models that a client can have without a download.
pub(crate) async fn listed(app: &App) -> Result<Vec<Available>, Refusal> {
    let served = app.served.clone();
    let mut all = aside(move |_| served.available()).await?;
    for status in app.served.status() {
        if all.iter().all(|it| it.name != status.name) {
            all.push(Available { name: status.name, bytes: 0, created: 0 });
        }
    }
    Ok(all)
}

fn said(model: &Available) -> Value {
    json!({ "id": model.name, "object": "model", "created": model.created, "owned_by": "local" })
}
