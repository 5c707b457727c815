//! `POST /api/show`: what is known of a model.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json as value};
use utoipa::ToSchema;

use super::details::{capabilities, details, parameters};
use super::models::time;
use super::name::known;
use crate::Refusal;
use crate::app::App;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::listed::listed;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    #[serde(alias = "name")]
    model: String,
}

/// Tells of one model.
pub(crate) async fn show(State(app): State<Arc<App>>, body: Body) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Wanted>).await?;
    let name = app.served.name(&known(&app, &wanted.model).await?)?;
    let found = listed(&app).await?.into_iter().find(|it| it.name == name);
    let found = found.ok_or_else(|| Refusal::no_model(&wanted.model))?;
    let info = found.info.unwrap_or_default();
    let parameters = parameters(&info.defaults);
    let template = info.chat_templates.default.as_deref().unwrap_or_default();
    let system = info.system.as_deref().unwrap_or_default();
    let mut modelfile = vec![format!("FROM {name}")];
    modelfile.extend(parameters.iter().map(|line| format!("PARAMETER {line}")));
    modelfile.extend(info.system.iter().map(|system| format!("SYSTEM {system:?}")));
    let of = |name: &str| format!("{}.{name}", info.architecture);
    let mut facts: Map<String, Value> = Map::new();
    facts.insert("general.architecture".into(), info.architecture.clone().into());
    facts.insert("general.name".into(), info.name.clone().into());
    facts.insert("general.parameter_count".into(), info.parameters.into());
    facts.insert(of("context_length"), info.context_trained.into());
    facts.insert(of("embedding_length"), info.width.into());
    facts.insert(of("block_count"), info.layers.into());
    facts.insert(of("vocab_size"), info.vocabulary.into());
    let answer = value!({
        "license": info.license.as_deref().unwrap_or_default(),
        "modelfile": modelfile.join("\n"),
        "parameters": parameters.join("\n"),
        "template": template,
        "system": system,
        "details": details(Some(&info)),
        "model_info": facts,
        "capabilities": capabilities(&info),
        "modified_at": time(found.created),
    });
    Ok(telling(Json(answer).into_response(), &unknown))
}
