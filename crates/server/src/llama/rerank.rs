//! `POST /rerank`: documents by how well they go with a question.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json as value};
use utoipa::ToSchema;

use super::meant;
use crate::Refusal;
use crate::answer::lease;
use crate::app::App;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::options::Scope;
use crate::vectors::{scores, vectors};

/// What a client sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    model: Option<String>,
    query: String,
    #[serde(alias = "texts")]
    documents: Vec<String>,
    top_n: Option<usize>,
    return_documents: Option<bool>,
}

/// Puts documents in order: by a model that scores pairs, else by how close their vectors are to the question's. The
/// answer says by which.
pub(crate) async fn rerank(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<Wanted>).await?;
    if wanted.documents.is_empty() {
        return Err(Refusal::field("documents", "empty", "at least one"));
    }
    let model = meant(&app, wanted.model)?;
    let lease = lease(&app, &model, scope, None).await?;
    let documents = wanted.documents.clone();
    let (scores, tokens, scored_by) = if lease.llm().info().scoring.is_some() {
        let (scores, tokens) = scores(lease, wanted.query, documents, "documents").await?;
        (scores, tokens, "cross_encoder")
    } else {
        let texts = documents.into_iter().chain([wanted.query]).collect();
        let (vectors, tokens) = vectors(lease, texts, "documents", false).await?;
        (cosines(&vectors.numbers, vectors.width), tokens, "cosine")
    };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // The first of equals first.
    order.sort_by(|&one, &other| scores[other].partial_cmp(&scores[one]).unwrap_or(Ordering::Equal));
    order.truncate(wanted.top_n.unwrap_or(usize::MAX));
    let result = |index: usize| {
        let mut said = value!({ "index": index, "relevance_score": scores[index] });
        if wanted.return_documents == Some(true) {
            said["document"] = value!({ "text": wanted.documents[index] });
        }
        said
    };
    let answer = value!({
        "model": model,
        "object": "list",
        "results": order.into_iter().map(result).collect::<Vec<Value>>(),
        "scored_by": scored_by,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Ok(telling(Json(answer).into_response(), &unknown))
}

/// How close each of some vectors of length 1 is to the last.
fn cosines(numbers: &[f32], width: usize) -> Vec<f32> {
    let (documents, query) = numbers.split_at(numbers.len() - width);
    let dot = |vector: &[f32]| vector.iter().zip(query).map(|(one, other)| one * other).sum();
    documents.chunks_exact(width).map(dot).collect()
}
