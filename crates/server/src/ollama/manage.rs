//! `DELETE /api/delete`, `POST /api/copy` and `POST /api/create`: models that the store has, by other names and with other
//! parameters, or no longer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json as value};
use trillm_core::Class;
use trillm_store::Chat;
use utoipa::ToSchema;

use super::name::{known, plain};
use super::options::Options;
use crate::Refusal;
use crate::app::App;
use crate::aside::aside;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::lines::{line, lines};
use crate::parts::Parts;

#[derive(Deserialize, ToSchema)]
pub(crate) struct One {
    #[serde(alias = "name")]
    model: String,
}

/// Removes a model; who uses it goes on.
pub(crate) async fn delete(State(app): State<Arc<App>>, body: Body) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<One>).await?;
    let (served, name) = (app.served.clone(), app.served.name(&known(&app, &wanted.model).await?)?);
    aside(move |_| served.remove(&name)).await?;
    Ok(telling(().into_response(), &unknown))
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Copied {
    source: String,
    destination: String,
}

/// Gives a model another name, too.
pub(crate) async fn copy(State(app): State<Arc<App>>, body: Body) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Copied>).await?;
    derive(&app, &wanted.source, ("destination", &wanted.destination), Chat::default()).await?;
    Ok(telling(().into_response(), &unknown))
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Created {
    #[serde(alias = "name")]
    model: String,
    from: Option<String>,
    system: Option<String>,
    parameters: Option<Options>,
    stream: Option<bool>,
    template: Option<String>,
    files: Option<Value>,
    adapters: Option<Value>,
    messages: Option<Vec<Value>>,
    quantize: Option<String>,
}

/// Makes a model of another one, with parameters of its own.
pub(crate) async fn create(State(app): State<Arc<App>>, body: Body) -> Result<Response, Refusal> {
    let (Input { fields: wanted, mut unknown }, _) = request(&app, body, json::<Created>).await?;
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    for (field, is_given) in [
        ("template", has(&wanted.template)),
        ("quantize", has(&wanted.quantize)),
        ("files", wanted.files.is_some()),
        ("adapters", wanted.adapters.is_some()),
        ("messages", wanted.messages.as_ref().is_some_and(|messages| !messages.is_empty())),
    ] {
        if is_given {
            return Err(Refusal::unsupported(field, field));
        }
    }
    let from = wanted.from.ok_or_else(|| Refusal::field("from", "missing", "a model to make it of"))?;
    let (chat, left_out) = wanted.parameters.unwrap_or_default().chat(wanted.system);
    unknown.extend(left_out);
    derive(&app, &from, ("model", &wanted.model), chat).await?;
    let made = value!({ "status": "success" });
    let response = if wanted.stream == Some(false) { Json(made).into_response() } else { lines(Once(Some(made))) };
    Ok(telling(response, &unknown))
}

/// Makes `local:NAME` of a model, which this interface calls NAME.
async fn derive(app: &App, from: &str, (field, name): (&str, &str), chat: Chat) -> Result<(), Refusal> {
    let from = app.served.name(&known(app, from).await?)?;
    let plain = plain(name);
    let (served, name) = (app.served.clone(), plain.strip_prefix("local:").unwrap_or(plain).to_owned());
    // What has the name already would be meant by it, and would be removed by it.
    if served.name(&name).is_ok() {
        let refusal = Refusal::new(Class::InvalidRequest, "name_taken", format!("{name:.200} is another model's name"));
        return Err(refusal.about(field).advising("choose one that no model has"));
    }
    aside(move |_| served.derive(&from, &name, chat)).await
}

/// A body of one line.
struct Once(Option<Value>);

impl Parts for Once {
    async fn write(&mut self, out: &mut Vec<u8>) {
        self.0.take().iter().for_each(|value| line(out, value));
    }
}
