//! A server that runs beside its program: on threads of its own, until it is told to stop.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio::runtime::Builder;
use tokio::sync::watch;
use trillm_core::{Class, Coded};

use crate::app::App;
use crate::{Options, Served, connections, routes};

/// Threads that read and write; models compute on others.
const THREADS: usize = 2;

/// A server that runs. Dropping it stops it at once.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not one of this machine's.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Others than this machine could use it without a key.
    #[error("{address} can be reached from other machines, and there is no API key")]
    Unguarded {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The system gives it no threads, or no events.
    #[error("the server cannot be started: {0}")]
    Threads(io::Error),
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Listen { .. } => (Class::InvalidRequest, "cannot_listen"),
            Self::Unguarded { .. } => (Class::InvalidRequest, "no_api_key"),
            Self::Threads(_) => (Class::Engine, "no_thread"),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some("choose another `port`, or 0 for any that is free".into()),
            Self::Unguarded { .. } => Some("give it `api_keys`, or let it listen at 127.0.0.1".into()),
            Self::Threads(_) => None,
        }
    }
}

impl Server {
    /// Starts to serve.
    ///
    /// # Errors
    /// If it cannot listen there, or anybody could use it.
    pub fn start(served: Arc<dyn Served>, options: Options) -> Result<Self, Error> {
        let address = options.address;
        if options.keys.is_empty() && !address.ip().is_loopback() {
            return Err(Error::Unguarded { address });
        }
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("trillm-http").enable_all().build();
        let runtime = runtime.map_err(Error::Threads)?;
        let app = Arc::new(App::new(served, options));
        let stopped = app.stop.subscribe();
        let work = {
            let app = app.clone();
            move || {
                runtime.block_on(serve(app, listener, stopped));
                // What waits for a model that comes is left behind.
                runtime.shutdown_background();
            }
        };
        let thread = thread::Builder::new().name("trillm-server".into()).spawn(work).map_err(Error::Threads)?;
        Ok(Self { address, app, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lines of the log from number `first` on, of the last thousand, each a JSON object for one request; and the number of
    /// the next line.
    pub fn log(&self, first: u64) -> (Vec<String>, u64) {
        let (lines, next) = self.app.lines.from(first);
        (lines.iter().map(ToString::to_string).collect(), next)
    }

    /// Takes no more requests, waits for those that run, as long as its options say, and stops. Harmless when called
    /// again, which waits as well.
    pub fn stop(&self) {
        self.begin_stop();
        while !self.wait(Duration::from_hours(1)) {}
    }

    /// The same without waiting for it: see [`wait`](Self::wait).
    pub fn begin_stop(&self) {
        self.app.begin_stop(self.app.options.drain);
    }

    /// Whether it has stopped; waits for that, at most `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let end = std::time::Instant::now() + limit;
        loop {
            let is_over = self.thread().as_ref().is_none_or(JoinHandle::is_finished);
            if is_over || std::time::Instant::now() >= end {
                return is_over;
            }
            thread::sleep(Duration::from_millis(20).min(limit));
        }
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.app.begin_stop(Duration::ZERO);
        let thread = self.thread().take();
        if let Some(thread) = thread {
            // It ends with an error only after a panic, which was told.
            let _ = thread.join();
        }
    }
}

async fn serve(app: Arc<App>, listener: TcpListener, stopped: watch::Receiver<Option<Duration>>) {
    // A forked child has the socket, too: closing it here would leave it open.
    let copy = listener.try_clone();
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    connections::serve(app.clone(), routes::router(app), listener, stopped).await;
    if let Ok(copy) = copy {
        let _ = SockRef::from(&copy).shutdown(Shutdown::Both);
    }
}
