//! Whether the server lives, and how it does.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use trillm_runtime::{Phase, Status};

use crate::app::App;

/// `GET /health`: what the guide asks for.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({ "status": "healthy", "models": loaded(&app), "stats": stats(&app) }))
}

/// `GET /livez`: whether it answers at all.
pub(crate) async fn live() -> &'static str {
    "ok"
}

/// `GET /readyz`: whether it takes requests.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.is_draining.load(Relaxed) { (StatusCode::SERVICE_UNAVAILABLE, "stopping") } else { (StatusCode::OK, "ok") }
}

/// Requests answered, those of them that were refused or failed, the mean of the seconds until answers began, the share of
/// errors in percent, and seconds since the start.
pub(crate) fn stats(app: &App) -> Value {
    let (requests, errors) = (app.counts.requests(), app.counts.errors());
    let of = |sum: f64| if requests == 0 { 0.0 } else { sum / requests as f64 };
    json!({
        "requests": requests,
        "errors": errors,
        "average_latency": of(app.counts.seconds()),
        "error_rate": 100.0 * of(errors as f64),
        "uptime": app.started.elapsed().as_secs_f64(),
    })
}

/// What is in memory, by name.
pub(crate) fn loaded(app: &App) -> Vec<Value> {
    let here = app.served.status().into_iter().filter(|it| it.phase == Phase::Here);
    here.map(|Status { name, bytes, leases, requests, pinned, idle, .. }| {
        let idle = idle.map(|time| time.as_secs_f64());
        let can = app.served.look(&name).map(|llm| llm.info().capabilities());
        json!({
            "name": name, "bytes": bytes, "in_use": leases, "requests": requests, "pinned": pinned, "idle": idle,
            "capabilities": can,
        })
    })
    .collect()
}

/// What is on its way into memory, which a download may be part of, or out of it.
pub(crate) fn coming(app: &App) -> Vec<Value> {
    let moving = app.served.status().into_iter().filter_map(|it| {
        let phase = match it.phase {
            Phase::Coming => "loading",
            Phase::Going => "unloading",
            Phase::Here => return None,
        };
        Some(json!({ "name": it.name, "phase": phase, "awaited": it.awaited }))
    });
    moving.collect()
}
