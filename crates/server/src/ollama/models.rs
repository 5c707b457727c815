//! `GET /api/tags`: models on this machine; `GET /api/ps`: those in memory.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trillm_runtime::Phase;

use super::details::details;
use crate::Refusal;
use crate::app::App;
use crate::listed::listed;

/// What stays until its room is needed goes, for clients who want a time, in a hundred years.
const FOREVER: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);

/// All models of this machine.
pub(crate) async fn tags(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let all = listed(&app).await?;
    let models = all.iter().map(|it| {
        json!({
            "name": it.name,
            "model": it.name,
            "modified_at": time(it.created),
            "size": it.bytes,
            "digest": it.digest.as_deref().unwrap_or_default(),
            "details": details(it.info.as_ref()),
        })
    });
    Ok(Json(json!({ "models": models.collect::<Vec<_>>() })))
}

/// What is in memory. All of it is the machine's, none that of a card.
pub(crate) async fn running(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let all = listed(&app).await?;
    let here = app.served.status().into_iter().filter(|it| it.phase == Phase::Here);
    let models = here.map(|it| {
        let known = all.iter().find(|known| known.name == it.name);
        let llm = app.served.look(&it.name);
        let left = it.left.and_then(|left| SignedDuration::try_from(left).ok()).unwrap_or(FOREVER);
        json!({
            "name": it.name,
            "model": it.name,
            "size": it.bytes,
            "digest": known.and_then(|known| known.digest.as_deref()).unwrap_or_default(),
            "details": details(llm.as_ref().map(|llm| llm.info())),
            "expires_at": Timestamp::now().saturating_add(left).map_or_else(|_| String::new(), |time| time.to_string()),
            "size_vram": 0,
            "context_length": llm.as_ref().map(|llm| llm.context()),
        })
    });
    Ok(Json(json!({ "models": models.collect::<Vec<_>>() })))
}

/// A time in seconds since 1970, as text.
pub(super) fn time(seconds: u64) -> String {
    Timestamp::from_second(seconds as i64).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
