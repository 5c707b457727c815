//! `POST /api/pull`: a model that is made present, and how far that is.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json as value};
use tokio::sync::mpsc::{Receiver, channel};
use trillm_store::{Phase, Progress, Watch};
use utoipa::ToSchema;

use super::errors;
use super::name::known;
use crate::Refusal;
use crate::app::App;
use crate::aside::aside;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::lines::{line, lines};
use crate::parts::Parts;

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[serde(alias = "name")]
    model: String,
    insecure: Option<bool>,
    stream: Option<bool>,
}

/// Moments that are kept for a client who reads slowly; later ones are left out.
const MOMENTS: usize = 16;

/// Fetches a model.
pub(crate) async fn pull(State(app): State<Arc<App>>, body: Body) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Wanted>).await?;
    if wanted.insecure == Some(true) {
        return Err(Refusal::unsupported("insecure", "insecure"));
    }
    let name = app.served.name(&known(&app, &wanted.model).await?)?;
    let (served, (tell, moments)) = (app.served.clone(), channel(MOMENTS));
    let fetched = aside(move |goes_on| {
        let goes_on = goes_on.clone();
        let watch: Arc<Watch> = Arc::new(move |progress: &Progress| {
            let _ = tell.try_send(progress.clone());
            if goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        served.fetch(&name, &watch)
    });
    if wanted.stream == Some(false) {
        fetched.await?;
        return Ok(telling(Json(value!({ "status": "success" })).into_response(), &unknown));
    }
    let pulling = Pulling { moments, fetched: Some(Box::pin(fetched)), begun: false };
    Ok(telling(lines(pulling), &unknown))
}

type Fetched = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// A download. Dropping it ends it, unless others wait for the same.
struct Pulling {
    moments: Receiver<Progress>,
    /// `None` after its end.
    fetched: Option<Fetched>,
    begun: bool,
}

impl Parts for Pulling {
    async fn write(&mut self, out: &mut Vec<u8>) {
        let Some(fetched) = &mut self.fetched else { return };
        if !self.begun {
            self.begun = true;
            line(out, &value!({ "status": "pulling manifest" }));
            return;
        }
        tokio::select! {
            biased;
            Some(progress) = self.moments.recv() => line(out, &moment(&progress)),
            done = fetched => {
                match done {
                    Ok(()) => line(out, &value!({ "status": "success" })),
                    Err(refusal) => line(out, &errors::body(&refusal)),
                }
                self.fetched = None;
            }
        }
    }
}

/// One moment of one file.
fn moment(progress: &Progress) -> Value {
    let what = match progress.phase {
        Phase::Waiting => "waiting for",
        Phase::Downloading => "pulling",
        Phase::Verifying => "verifying",
        Phase::Unpacking => "unpacking",
    };
    let mut said = value!({ "status": format!("{what} {}", progress.file), "completed": progress.transferred });
    if let Some(total) = progress.total {
        said["total"] = total.into();
    }
    said
}
