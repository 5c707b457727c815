//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json as value};
use trillm_core::Token;
use utoipa::ToSchema;

use crate::Refusal;
use crate::answer::lease;
use crate::app::App;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::options::Scope;
use crate::vectors::{One, check_width, vectors};

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: String,
    #[schema(inline)]
    input: Inputs,
    #[schema(inline)]
    encoding_format: Option<Format>,
    dimensions: Option<usize>,
}

/// Texts, as they are or as tokens: one or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text, a list of texts, a list of tokens, or a list of lists of tokens")]
enum Inputs {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    Lists(Vec<Vec<u32>>),
}

impl From<Inputs> for Vec<One> {
    fn from(given: Inputs) -> Self {
        let tokens = |ids: Vec<u32>| One::Tokens(ids.into_iter().map(Token).collect());
        match given {
            Inputs::Text(text) => vec![One::Text(text)],
            Inputs::Texts(texts) => texts.into_iter().map(One::Text).collect(),
            // An empty list is no text, of whatever kind it would be.
            Inputs::Tokens(ids) if ids.is_empty() => vec![],
            Inputs::Tokens(ids) => vec![tokens(ids)],
            Inputs::Lists(lists) => lists.into_iter().map(tokens).collect(),
        }
    }
}

#[derive(Deserialize, ToSchema, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    Float,
    Base64,
}

/// Makes vectors of texts, of length 1 as in Python.
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Wanted>).await?;
    let lease = lease(&app, &wanted.model, scope, None).await?;
    let (vectors, tokens) = vectors(lease, Vec::<One>::from(wanted.input), "input", false).await?;
    check_width(&vectors, wanted.dimensions)?;
    let format = wanted.encoding_format.unwrap_or(Format::Float);
    let said = |numbers: &[f32]| match format {
        Format::Float => Value::from(numbers),
        Format::Base64 => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            Value::from(BASE64_STANDARD.encode(bytes))
        }
    };
    let each = vectors.numbers.chunks_exact(vectors.width).enumerate();
    let data = each.map(|(index, it)| value!({ "object": "embedding", "index": index, "embedding": said(it) }));
    let answer = value!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": wanted.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Ok(telling(Json(answer).into_response(), &unknown))
}
