//! `GET /logs`: the log, for whoever operates a server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use crate::Refusal;
use crate::app::App;
use crate::tail::parameter;

/// `GET /logs?from=N`: lines of the log, and the number to ask from the next time.
pub(crate) async fn logs(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let from = parameter(&uri, "from").unwrap_or("0");
    let wrong = |_| Refusal::field("from", &format!("{from:.50}"), "the number of a line, 0 or more");
    let (lines, next) = app.lines.from(from.parse().map_err(wrong)?);
    // They were written as JSON by this server.
    let lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Json(json!({ "lines": lines, "next": next })))
}
