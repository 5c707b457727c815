//! What is noted of a request while it is answered: a line of the log comes of it, and an entry of the journal.
//!
//! Handlers are not asked to hand it on: it belongs to the task that answers, and whoever leases a model finds it there. No
//! text of a prompt or an answer is in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::Method;
use serde_json::json;
use trillm_core::Usage;
use trillm_runtime::journal::Timestamp;

use crate::Refusal;
use crate::app::App;
use crate::journal::entry;

tokio::task_local! {
    static CURRENT: Arc<Trace>;
}

/// A request that is answered. Its end is when nobody has this any more.
pub(crate) struct Trace {
    app: Arc<App>,
    id: String,
    method: Method,
    route: &'static str,
    start: Instant,
    /// Whether its line is written: who asks whether a server lives asks often.
    is_told: bool,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    status: Option<u16>,
    model: Option<String>,
    prompt_tokens: u64,
    completion_tokens: u64,
    refusal: Option<Refusal>,
}

impl Trace {
    pub(crate) fn begin(app: &Arc<App>, id: &str, method: &Method, route: &'static str, is_told: bool) -> Arc<Self> {
        let (app, id, method) = (app.clone(), id.to_owned(), method.clone());
        Arc::new(Self { app, id, method, route, start: Instant::now(), is_told, noted: Mutex::default() })
    }

    /// Answers with this as the trace of the task.
    pub(crate) async fn during<T>(self: Arc<Self>, answering: impl Future<Output = T>) -> T {
        CURRENT.scope(self, answering).await
    }

    /// That of the task that runs; there is none where nobody was let in.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// What the client calls the model.
    pub(crate) fn model(&self, name: &str) {
        self.noted().model = Some(name.chars().take(200).collect());
    }

    pub(crate) fn status(&self, status: u16) {
        self.noted().status = Some(status);
    }

    /// One of its answers is complete.
    pub(crate) fn answered(&self, usage: Usage) {
        let mut noted = self.noted();
        noted.prompt_tokens = u64::from(usage.prompt_tokens);
        noted.completion_tokens += u64::from(usage.completion_tokens);
    }

    /// It was refused, or failed.
    pub(crate) fn failed(&self, refusal: &Refusal) {
        self.noted().refusal = Some(refusal.clone());
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let noted = std::mem::take(&mut *self.noted());
        if let Some(refusal) = &noted.refusal {
            let context = [("call", Some(self.route.to_owned())), ("model", noted.model.clone())];
            let context = context.into_iter().filter_map(|(name, text)| Some((name, text?)));
            if let Some(entry) = entry(refusal, context) {
                self.app.journal.record(entry);
            }
        }
        if !self.is_told {
            return;
        }
        let line = json!({
            "time": Timestamp::now().to_string(),
            "id": self.id,
            "method": self.method.as_str(),
            "route": self.route,
            // Null for a client who left before it was decided.
            "status": noted.status,
            "model": noted.model,
            "seconds": self.start.elapsed().as_secs_f64(),
            "prompt_tokens": noted.prompt_tokens,
            "completion_tokens": noted.completion_tokens,
            "error": noted.refusal.map(|refusal| refusal.code),
        });
        self.app.lines.push(line.to_string());
    }
}
