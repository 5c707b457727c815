//! Who may ask: names of the server, pages of others, keys, and how often. A route has no other way in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::Refusal;
use crate::app::App;
use crate::bodies::metered;
use crate::form::Form;
use crate::options::{Options, Scope};
use crate::rates::Rate;
use crate::route::Route;
use crate::trace::Trace;

/// What tells a request apart in logs, here and at the client.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Keys come in one of these beside `Authorization`, whole.
pub(crate) const KEY_HEADERS: [&str; 2] = ["x-api-key", "api-key"];

/// When to try again if there are too many at once.
const SOON: Duration = Duration::from_secs(1);

/// Lets a request to a route of that scope in, or refuses it.
pub(crate) async fn guard(State((app, route)): State<(Arc<App>, Route)>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (mut request, left) = metered(request, &app.room);
    let given = request.headers().get(&REQUEST_ID).filter(|id| id.len() <= 128).cloned();
    let id = given.unwrap_or_else(|| app.id("req").parse().unwrap_or(HeaderValue::from_static("req")));
    let is_told = route.scope != Scope::Open;
    let trace = Trace::begin(&app, id.to_str().unwrap_or_default(), request.method(), route.path, is_told);
    let (form, mut rate, mut place) = (Form::of(&request), None, None);
    let answered = match enter(&app, route.scope, &request, &mut rate) {
        Ok((taken, granted)) => {
            place = taken;
            request.extensions_mut().insert(granted);
            request.extensions_mut().insert(form);
            let answering = trace.clone().during(next.run(request));
            tokio::select! {
                // Whoever can say in the words of its protocol that it was ended does.
                biased;
                response = answering => Ok(response),
                () = app.is_over() => Err(Refusal::stopping()),
            }
        }
        Err(refusal) => {
            drop(request);
            Err(refusal)
        }
    };
    // What a handler refused is put into words here, as what it was not asked is.
    let answered = answered.and_then(|mut response| match response.extensions_mut().remove::<Refusal>() {
        Some(refusal) => Err(refusal),
        None => Ok(response),
    });
    let mut response = answered.unwrap_or_else(|refusal| {
        trace.failed(&refusal);
        form.refused(&refusal)
    });
    trace.status(response.status().as_u16());
    left.release();
    if !left.drained(app.options.body).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // A body that is sent as it comes has its place until its end.
    let mut response = response.map(|body| holding(body, (place, trace)));
    if let Some(rate) = rate {
        rate.tell(response.headers_mut());
    }
    let status = response.status();
    app.counts.count(start.elapsed(), status.is_client_error() || status.is_server_error());
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    response
}

fn holding<T: Send + 'static>(body: Body, held: T) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    Body::from_stream(body.into_data_stream().inspect(move |_| {
        let _ = &held;
    }))
}

/// A place among the requests that are answered, and what the client has left of its minute; what is always open takes
/// neither.
fn enter(
    app: &App,
    scope: Scope,
    request: &Request,
    rate: &mut Option<Rate>,
) -> Result<(Option<OwnedSemaphorePermit>, Scope), Refusal> {
    let headers = request.headers();
    // What only asks whether it lives may speak an HTTP that has no names.
    if scope != Scope::Open || headers.contains_key(HOST) {
        check_host(&app.options, headers)?;
    }
    check_origin(&app.options, headers)?;
    if scope == Scope::Open {
        return Ok((None, Scope::Open));
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let opened = check_key(&app.options, scope, headers);
    // Wrong keys are counted, too, by where they come from.
    let key = opened.as_ref().ok().and_then(|(key, _)| *key);
    *rate = app.rates.count(&app.options, key, peer, Instant::now());
    if let Some(rate) = rate.filter(|rate| rate.left < 0) {
        let message = format!("more than {} requests in a minute", rate.limit);
        let refusal = Refusal::http(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        return Err(refusal.after(rate.reset));
    }
    let (_, granted) = opened?;
    if app.is_draining.load(Relaxed) {
        return Err(Refusal::stopping().after(app.options.drain));
    }
    let place = app.places.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{} requests are being answered, the limit", app.options.concurrent);
        Refusal::http(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message).after(SOON)
    })?;
    Ok((Some(place), granted))
}

/// A page may make a browser ask whoever a name of its own leads to. Nobody else has reason to call this server by a name
/// that it does not know.
fn check_host(options: &Options, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut all = headers.get_all(HOST).into_iter();
    let given = all.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    if all.next().is_some() {
        return Err(Refusal::http(StatusCode::BAD_REQUEST, "several_hosts", "there are several Host headers"));
    }
    let name = without_port(given);
    let is_known = is_of_machine(name) || options.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
    // Who has to show a key cannot be a page that has none.
    let is_guarded = !options.keys.is_empty() && options.hosts.is_empty() && !options.address.ip().is_loopback();
    if is_known || is_guarded {
        return Ok(());
    }
    let message = format!("the server is not called {name:.100?}");
    let refusal = Refusal::http(StatusCode::FORBIDDEN, "unknown_host", message);
    Err(refusal.advising("start it with the names that it is to answer to"))
}

/// An address or a name that leads to this machine wherever it is looked up: an address cannot be turned elsewhere.
fn is_of_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.len() > 10 && name[name.len() - 10..].eq_ignore_ascii_case(".localhost")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a page of `origin` may call the server: its own, those of this machine, and those that were said to.
pub(crate) fn may_call(options: &Options, origin: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let is_here = |name: &str| {
        name.eq_ignore_ascii_case("localhost")
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    options.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
        || !authority.is_empty() && (host == Some(authority) || is_here(without_port(authority)))
}

fn check_origin(options: &Options, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if may_call(options, origin, host) {
        return Ok(());
    }
    let message = format!("pages of {origin:.100?} may not call this server");
    let refusal = Refusal::http(StatusCode::FORBIDDEN, "origin_not_allowed", message);
    Err(refusal.advising("start it with the origins that may"))
}

/// Which of the keys opens the way, if there are any, and how far.
fn check_key(options: &Options, scope: Scope, headers: &HeaderMap) -> Result<(Option<usize>, Scope), Refusal> {
    if options.keys.is_empty() {
        return Ok((None, Scope::Admin));
    }
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    let whole = || KEY_HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    let Some(secret) = bearer.or_else(whole) else {
        let refusal = Refusal::http(StatusCode::UNAUTHORIZED, "missing_api_key", "there is no API key");
        return Err(refusal.advising("send one in the header Authorization: Bearer …"));
    };
    // All are looked at, so that the time tells nothing.
    let found = options.keys.iter().enumerate().filter_map(|(index, key)| Some((index, key.opens(secret)?)));
    match found.max_by_key(|(_, scope)| *scope) {
        None => Err(Refusal::http(StatusCode::UNAUTHORIZED, "invalid_api_key", "the API key is wrong")),
        Some((_, has)) if has < scope => {
            let message = "the API key opens the use of models, not their management";
            Err(Refusal::http(StatusCode::FORBIDDEN, "insufficient_scope", message))
        }
        Some((index, has)) => Ok((Some(index), has)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_and_no_others() {
        let options = Options { hosts: vec!["models.lan".into()], ..Options::default() };
        for (host, ok) in [
            ("localhost:3000", true),
            ("LOCALHOST", true),
            ("a.localhost:1", true),
            ("127.0.0.1:3000", true),
            ("[::1]:3000", true),
            ("192.168.0.7", true),
            ("models.lan:3000", true),
            ("evil.example:3000", false),
            ("localhost.evil.example", false),
            ("evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            assert_eq!(check_host(&options, &headers).is_ok(), ok, "{host}");
        }
        assert!(check_host(&options, &HeaderMap::new()).is_err());
    }

    #[test]
    fn pages_of_this_machine_and_those_that_may() {
        let options = Options { origins: vec!["https://chat.example".into()], ..Options::default() };
        for (origin, ok) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("https://chat.example", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("null", false),
            ("", false),
            ("http://192.168.0.7", false),
        ] {
            assert_eq!(may_call(&options, origin, Some("localhost:3000")), ok, "{origin}");
        }
        assert!(may_call(&options, "http://192.168.0.7:3000", Some("192.168.0.7:3000")));
        assert!(may_call(&Options { origins: vec!["*".into()], ..Options::default() }, "null", None));
    }
}
