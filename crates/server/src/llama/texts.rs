//! `POST /tokenize`, `/detokenize` and `/apply-template`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json as value};
use trillm_core::{Error as CoreError, Token, Tokenizer};
use trillm_llm::Llm;
use trillm_text::{Message, RenderOptions};
use utoipa::ToSchema;

use super::meant;
use crate::Refusal;
use crate::answer::lease;
use crate::app::App;
use crate::aside::aside;
use crate::ignored::telling;
use crate::input::{Input, json, request};
use crate::messages::check_parts;
use crate::options::Scope;

/// Has a model do something that may take as long as a text is.
async fn done_by(
    app: &App,
    scope: Scope,
    model: Option<String>,
    work: impl FnOnce(&Llm) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Response, Refusal> {
    let lease = lease(app, &meant(app, model)?, scope, None).await?;
    Ok(Json(aside(move |_| work(lease.llm())).await?).into_response())
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ToTokens {
    model: Option<String>,
    content: String,
    add_special: Option<bool>,
    parse_special: Option<bool>,
    with_pieces: Option<bool>,
}

/// A text as tokens; control tokens that are written out in it are read, unless the client says otherwise.
pub(crate) async fn tokenize(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<ToTokens>).await?;
    let ToTokens { model, content, add_special, parse_special, with_pieces } = wanted;
    let work = move |llm: &Llm| {
        let tokenizer = llm.model().tokenizer();
        let mut tokens = Vec::new();
        tokenizer.encode(&content, add_special.unwrap_or(false), parse_special.unwrap_or(true), &mut tokens)?;
        let said = |token: &Token| match with_pieces {
            Some(true) => value!({ "id": token.0, "piece": piece(tokenizer, *token) }),
            _ => token.0.into(),
        };
        Ok(value!({ "tokens": tokens.iter().map(said).collect::<Vec<_>>() }))
    };
    Ok(telling(done_by(&app, scope, model, work).await?, &unknown))
}

/// A token as text, or as bytes where it is a part of a character.
fn piece(tokenizer: &dyn Tokenizer, token: Token) -> Value {
    let bytes = tokenizer.bytes(token);
    match std::str::from_utf8(bytes) {
        Ok("") => tokenizer.spelling(token).unwrap_or_default().into(),
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ToText {
    model: Option<String>,
    tokens: Vec<u32>,
}

/// Tokens as text.
pub(crate) async fn detokenize(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<ToText>).await?;
    let work = move |llm: &Llm| {
        let tokenizer = llm.model().tokenizer();
        let tokens: Vec<Token> = wanted.tokens.into_iter().map(Token).collect();
        let rows = tokenizer.vocabulary();
        match tokens.iter().find(|token| token.0 >= rows) {
            Some(&Token(token)) => Err(CoreError::NoEmbedding { name: "tokens", token, rows }.into()),
            None => Ok(value!({ "content": tokenizer.decode(&tokens) })),
        }
    };
    Ok(telling(done_by(&app, scope, wanted.model, work).await?, &unknown))
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ToPrompt {
    model: Option<String>,
    messages: Vec<Value>,
    add_generation_prompt: Option<bool>,
    chat_template_kwargs: Option<Map<String, Value>>,
}

/// A chat as the text that the model is asked.
pub(crate) async fn apply_template(
    State(app): State<Arc<App>>,
    Extension(scope): Extension<Scope>,
    body: Body,
) -> Result<Response, Refusal> {
    let (Input { fields: wanted, unknown }, _) = request(&app, body, json::<ToPrompt>).await?;
    check_parts(&wanted.messages, &["text"])?;
    let messages = Message::list(wanted.messages).map_err(|error| Refusal::of(&error).about("messages"))?;
    let options = RenderOptions {
        add_generation_prompt: wanted.add_generation_prompt.unwrap_or(true),
        variables: wanted.chat_template_kwargs.unwrap_or_default(),
        ..RenderOptions::default()
    };
    let work = move |llm: &Llm| Ok(value!({ "prompt": llm.render_chat(&messages, &options, None)? }));
    Ok(telling(done_by(&app, scope, wanted.model, work).await?, &unknown))
}
