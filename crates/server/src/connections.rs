//! Connections: taken, kept within time, and ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::app::App;

/// What connections have to write their last words when the time of those that run is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long it waits where the system gives no more connections: some end meanwhile.
const NO_MORE: Duration = Duration::from_millis(200);

/// Answers until it is told to stop, and for as long as that says.
pub(crate) async fn serve(
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    mut stopped: watch::Receiver<Option<Duration>>,
) {
    let mut connections = JoinSet::new();
    let mut told = stopped.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // A token is a packet: waiting for more would only delay it.
                    drop(stream.set_nodelay(true));
                    let (patience, stopped) = (app.options.patience, stopped.clone());
                    connections.spawn(connection(stream, peer, router.clone(), patience, stopped));
                }
                Err(_) => tokio::time::sleep(NO_MORE).await,
            },
            Some(_) = connections.join_next() => (),
            _ = told.wait_for(Option::is_some) => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = all(&mut connections) => return,
        () = limit(&mut stopped) => (),
    }
    app.over.send_replace(true);
    drop(tokio::time::timeout(LAST_WORDS, all(&mut connections)).await);
}

async fn all(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// Until the time is over that those that run have: the earliest that was said counts.
async fn limit(stopped: &mut watch::Receiver<Option<Duration>>) {
    let mut end = None;
    loop {
        let limit = stopped.wait_for(Option::is_some).await.map_or(Duration::ZERO, |limit| limit.unwrap_or_default());
        let said = tokio::time::Instant::now() + limit;
        let earliest = end.map_or(said, |end| said.min(end));
        end = Some(earliest);
        if !matches!(tokio::time::timeout_at(earliest, stopped.changed()).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// One connection, until its client or the server ends it. Headers come within `patience`, the first and those of later
/// requests: a client that sends a byte now and then, or none, keeps no place for longer.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
    mut stopped: watch::Receiver<Option<Duration>>,
) {
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));
    tokio::select! {
        // What went wrong with a connection is its client's.
        _ = serving.as_mut() => return,
        _ = stopped.wait_for(Option::is_some) => serving.as_mut().graceful_shutdown(),
    }
    drop(serving.await);
}
