//! All routes, each with what opens it. What is not here is not there.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, head, post};
use bytes::Bytes;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::app::App;
use crate::guard::{guard, may_call};
use crate::options::Scope;
use crate::route::Route;
use crate::{
    Refusal, anthropic, guide, health, journal, llama, logs, manage, metrics, ollama, openai, openapi, page, v1,
};

type Handler = MethodRouter<Arc<App>>;

/// Headers of answers that pages may read.
const EXPOSED: [&str; 6] = [
    "retry-after",
    "x-ignored-fields",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-request-id",
];

/// All routes with what answers them.
fn table() -> Vec<(Route, Handler)> {
    use Scope::{Admin, Open, Use};

    let read = |path, scope, handler: Handler| (Route { method: "GET", path, scope }, handler);
    let send = |path, scope, handler: Handler| (Route { method: "POST", path, scope }, handler);
    let probe = |path, scope, handler: Handler| (Route { method: "HEAD", path, scope }, handler);
    let remove = |path, scope, handler: Handler| (Route { method: "DELETE", path, scope }, handler);
    vec![
        probe("/", Open, head(ollama::alive)),
        read("/", Open, get(page::first)),
        read("/page/{file}", Open, get(page::part)),
        read("/livez", Open, get(health::live)),
        read("/readyz", Open, get(health::ready)),
        read("/health", Use, get(health::health)),
        read("/metrics", Use, get(metrics::metrics)),
        read("/openapi.json", Use, get(document)),
        read("/models", Use, get(guide::models)),
        send("/generate", Use, post(guide::generate)),
        read("/errors", Admin, get(journal::errors)),
        read("/logs", Admin, get(logs::logs)),
        send("/stop", Admin, post(manage::stop)),
        read("/models/{*path}", Admin, get(manage::plan)),
        send("/models/{*path}", Admin, post(manage::manage)),
        read("/v1/models", Use, get(v1::models)),
        read("/v1/models/{*id}", Use, get(v1::model)),
        send("/v1/chat/completions", Use, post(openai::chat::chat)),
        send("/v1/completions", Use, post(openai::completions::completions)),
        send("/v1/embeddings", Use, post(openai::embeddings::embeddings)),
        send("/v1/responses", Use, post(openai::responses::responses)),
        send("/v1/messages", Use, post(anthropic::messages::messages)),
        send("/v1/messages/count_tokens", Use, post(anthropic::messages::count_tokens)),
        send("/tokenize", Use, post(llama::texts::tokenize)),
        send("/detokenize", Use, post(llama::texts::detokenize)),
        send("/apply-template", Use, post(llama::texts::apply_template)),
        send("/rerank", Use, post(llama::rerank::rerank)),
        send("/v1/rerank", Use, post(llama::rerank::rerank)),
        send("/api/generate", Use, post(ollama::generate::generate)),
        send("/api/chat", Use, post(ollama::chat::chat)),
        send("/api/embed", Use, post(ollama::embed::embed)),
        send("/api/embeddings", Use, post(ollama::embed::embeddings)),
        read("/api/tags", Use, get(ollama::models::tags)),
        read("/api/ps", Use, get(ollama::models::running)),
        read("/api/version", Use, get(ollama::version)),
        send("/api/show", Use, post(ollama::show::show)),
        send("/api/pull", Admin, post(ollama::pull::pull)),
        remove("/api/delete", Admin, delete(ollama::manage::delete)),
        send("/api/copy", Admin, post(ollama::manage::copy)),
        send("/api/create", Admin, post(ollama::manage::create)),
    ]
}

/// All routes.
pub fn routes() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

/// What answers requests: each goes through the guard first, those that lead nowhere too.
pub(crate) fn router(app: Arc<App>) -> Router {
    let guarded = |route| from_fn_with_state((app.clone(), route), guard);
    let mut paths: BTreeMap<&str, (Route, Handler)> = BTreeMap::new();
    for (route, handler) in table() {
        let handler = handler.layer(guarded(route));
        let handler = match paths.remove(route.path) {
            Some((_, others)) => others.merge(handler),
            None => handler,
        };
        paths.insert(route.path, (route, handler));
    }
    let mut router = Router::new();
    for (path, (route, handler)) in paths {
        let wrong = Router::new().fallback(wrong_method).layer(guarded(route));
        router = router.route(path, handler.fallback_service(wrong.with_state(())));
    }
    let options = app.options.clone();
    let may_call = AllowOrigin::predicate(move |origin: &HeaderValue, parts| {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        origin.to_str().is_ok_and(|origin| may_call(&options, origin, host))
    });
    let cors = CorsLayer::new()
        .allow_origin(may_call)
        .allow_methods([Method::GET, Method::POST, Method::HEAD, Method::DELETE])
        // Clients send headers of their own making.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED.map(HeaderName::from_static));
    let missing = Route { method: "", path: "", scope: Scope::Use };
    let nowhere = Router::new().fallback(nowhere).layer(guarded(missing));
    router.fallback_service(nowhere.with_state(())).layer(cors).layer(CatchPanicLayer::new()).with_state(app)
}

/// `GET /openapi.json`: the table, for programs.
async fn document(State(app): State<Arc<App>>) -> Response {
    // With keys and without: it is the same for all servers of a process.
    static SAID: [OnceLock<Bytes>; 2] = [const { OnceLock::new() }; 2];
    let has_keys = !app.options.keys.is_empty();
    let said = SAID[usize::from(has_keys)].get_or_init(|| openapi::document(&routes(), has_keys).to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], said.clone()).into_response()
}

async fn wrong_method(request: Request) -> Refusal {
    let message = format!("{} is no method of {:.200}", request.method(), request.uri().path());
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
}

async fn nowhere(request: Request) -> Refusal {
    let message = format!("there is nothing at {:.200}", request.uri().path());
    Refusal::http(StatusCode::NOT_FOUND, "unknown_route", message)
}
