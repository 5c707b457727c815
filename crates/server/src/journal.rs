//! `GET /errors`: what went wrong with models lately, and what may help.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use trillm_runtime::journal::{Entry, Kind, Recovery, Timestamp};

use crate::Refusal;
use crate::app::App;

/// Those that are told; a journal keeps no more.
const SHOWN: usize = 100;

/// The last errors, the newest last, and how many there were of each code.
pub(crate) async fn errors(State(app): State<Arc<App>>) -> Json<Value> {
    let told = |entry: Arc<Entry>| {
        json!({
            "time": entry.time.to_string(),
            "kind": entry.kind.name(),
            "code": entry.code,
            "message": entry.message,
            "hint": entry.hint,
            "suggestion": entry.kind.suggestion(),
            "recovery": entry.recovery.map(Recovery::name),
            "context": entry.context,
        })
    };
    let errors: Vec<Value> = app.journal.recent(SHOWN).into_iter().map(told).collect();
    Json(json!({ "errors": errors, "counts": app.journal.counts().codes }))
}

/// What is remembered of a request that was refused: nothing, if that had to do with HTTP alone.
pub(crate) fn entry(refusal: &Refusal, context: impl IntoIterator<Item = (&'static str, String)>) -> Option<Entry> {
    let class = refusal.class()?;
    Some(Entry {
        kind: Kind::of(class),
        recovery: Recovery::of(class),
        code: refusal.code.clone().into_owned(),
        message: refusal.message.clone(),
        hint: refusal.hint.clone(),
        context: context.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
        time: Timestamp::now(),
    })
}
