//! Models in memory, for those who may manage them: loaded and unloaded, kept from going, and what loading one would take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};
use trillm_runtime::When;
use trillm_runtime::plan::Plan;

use crate::Refusal;
use crate::answer::lease;
use crate::app::App;
use crate::aside::aside;
use crate::input::bytes;
use crate::options::Scope;
use crate::tail::{Tail, parameter};

/// How long unloading waits for those who use a model, unless it is told: longer than most answers take, shorter than
/// clients wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// `POST /models/NAME/load`, `/unload`, `/pin` and `/unpin`, where a name may have slashes.
pub(crate) async fn manage(
    State(app): State<Arc<App>>,
    Tail(path): Tail,
    uri: Uri,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    // Read to its end, so that the connection goes on.
    bytes(&app, body).await?;
    let (name, what) = path.rsplit_once('/').unwrap_or_default();
    let start = Instant::now();
    let done = match what {
        "load" => {
            lease(&app, name, Scope::Admin, None).await?;
            "is loaded"
        }
        "unload" => {
            let force = match parameter(&uri, "force") {
                Some("true") => true,
                None | Some("false") => false,
                Some(other) => return Err(Refusal::field("force", &format!("{other:.50}"), "true or false")),
            };
            let patience = match parameter(&uri, "timeout") {
                None => PATIENCE,
                Some(text) => {
                    let given = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    let expected = "seconds, 0 to 3600";
                    let given = given.filter(|it| *it <= Duration::from_hours(1));
                    given.ok_or_else(|| Refusal::field("timeout", &format!("{text:.50}"), expected))?
                }
            };
            unload(&app, name, if force { When::AtOnce } else { When::Within(patience) }).await?;
            "is unloaded"
        }
        "pin" | "unpin" => {
            app.served.pin(&app.served.name(name)?, what == "pin")?;
            if what == "pin" { "stays" } else { "may go" }
        }
        _ => return Err(unknown(&path)),
    };
    let message = format!("model {name} {done}");
    Ok(Json(json!({ "message": message, "model": name, "seconds": start.elapsed().as_secs_f64() })))
}

/// `POST /stop`: what runs goes on, as long as the options say; then the server stops.
pub(crate) async fn stop(State(app): State<Arc<App>>) -> Json<Value> {
    app.begin_stop(app.options.drain);
    Json(json!({ "message": "the server stops", "drain": app.options.drain.as_secs_f64() }))
}

fn unknown(path: &str) -> Refusal {
    let message = format!("there is nothing to do at /models/{path:.200}");
    let refusal = Refusal::http(StatusCode::NOT_FOUND, "unknown_route", message);
    refusal.advising("end it with /load, /unload, /pin or /unpin; GET has /plan")
}

async fn unload(app: &App, name: &str, when: When) -> Result<(), Refusal> {
    let (served, known) = (app.served.clone(), app.served.name(name)?);
    let model = known.clone();
    aside(move |goes_on| served.unload(&model, when, goes_on)).await.map_err(|refusal| {
        if refusal.code != "busy" {
            return refusal;
        }
        // By the name that clients have for it.
        let users = app.served.status().into_iter().find(|it| it.name == known).map_or(0, |it| it.leases);
        let refusal = Refusal::http(StatusCode::CONFLICT, "busy", format!("{known:.200} is in use by {users}"));
        refusal.after(PATIENCE).advising("try again later, or end what runs by ?force=true")
    })
}

/// `GET /models/NAME/plan`: what loading a model of this machine would take, and whether that is there.
pub(crate) async fn plan(State(app): State<Arc<App>>, Tail(path): Tail) -> Result<Json<Value>, Refusal> {
    let Some((name, "plan")) = path.rsplit_once('/') else { return Err(unknown(&path)) };
    let (served, known) = (app.served.clone(), app.served.name(name)?);
    let Plan { engine, context, parallel, need, limit, verdict, .. } =
        aside(move |goes_on| served.plan(&known, goes_on)).await?;
    Ok(Json(json!({
        "model": name,
        "engine": engine,
        "context": context,
        "parallel": parallel,
        "weights": need.weights_mapped + need.weights_private,
        "cache": need.cache,
        "compute": need.compute,
        "private": need.private(),
        "total": need.total(),
        "limit": limit.as_ref().map(|limit| limit.bytes),
        "limit_source": limit.map(|limit| limit.source),
        "verdict": verdict.name(),
        "notes": need.notes,
    })))
}
