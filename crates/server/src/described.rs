//! What each route is for, what it reads, and what kinds of content it answers with.

use crate::route::Route;
use crate::takes::{Takes, both, one};
use crate::{anthropic, guide, llama, ollama, openai};

/// What is to be said of a route.
pub(crate) struct Described {
    pub(crate) summary: &'static str,
    /// `None` where no body is read.
    pub(crate) takes: Option<Takes>,
    pub(crate) gives: &'static [&'static str],
}

const JSON: &[&str] = &["application/json"];
const TEXT: &[&str] = &["text/plain"];
const PAGE: &[&str] = &["text/html"];
const PARTS: &[&str] = &["text/css", "text/javascript"];
/// At once, or in lines as it comes.
const LINES: &[&str] = &["application/json", "application/x-ndjson"];
/// At once, or in events as it comes.
const EVENTS: &[&str] = &["application/json", "text/event-stream"];

/// What is to be said of a route; `None` of one that nobody described.
pub(crate) fn described(route: &Route) -> Option<Described> {
    let says = |summary, gives| Some(Described { summary, takes: None, gives });
    let reads = |summary, gives, takes| Some(Described { summary, takes: Some(takes), gives });
    match (route.method, route.path) {
        ("HEAD", "/") => says("Whether the server lives", &[]),
        ("GET", "/") => says("A page to talk to models by", PAGE),
        ("GET", "/page/{file}") => says("A part of the page", PARTS),
        ("GET", "/livez") => says("Whether the server lives", TEXT),
        ("GET", "/readyz") => says("Whether the server takes requests", TEXT),
        ("GET", "/health") => says("Models in memory, and how long requests took", JSON),
        ("GET", "/metrics") => says("Counts and times, for Prometheus", TEXT),
        ("GET", "/openapi.json") => says("This document", JSON),
        ("GET", "/models") => says("Models in memory, and those on this machine", JSON),
        ("POST", "/generate") => reads("Continues a text", JSON, one::<guide::Wanted>()),
        ("GET", "/models/{*path}") => says("What loading a model would take, at NAME/plan", JSON),
        ("POST", "/models/{*path}") => says(
            "Loads a model, at NAME/load, unloads it, at NAME/unload, keeps it from going, at NAME/pin and /unpin",
            JSON,
        ),
        ("GET", "/errors") => says("What went wrong lately, and what may help", JSON),
        ("GET", "/logs") => says("The last requests", JSON),
        ("POST", "/stop") => says("Stops the server", JSON),
        ("GET", "/v1/models") => says("All models", JSON),
        ("GET", "/v1/models/{*id}") => says("One model", JSON),
        ("POST", "/v1/chat/completions") => {
            reads("Answers a chat", EVENTS, both::<openai::chat::Wanted, openai::Sampling>())
        }
        ("POST", "/v1/completions") => {
            reads("Continues texts", EVENTS, both::<openai::completions::Wanted, openai::Sampling>())
        }
        ("POST", "/v1/embeddings") => reads("Makes vectors of texts", JSON, one::<openai::embeddings::Wanted>()),
        ("POST", "/v1/responses") => reads("Answers a chat", EVENTS, one::<openai::responses::Wanted>()),
        ("POST", "/v1/messages") => reads("Answers a chat", EVENTS, both::<anthropic::Question, anthropic::Manner>()),
        ("POST", "/v1/messages/count_tokens") => {
            reads("Counts the tokens of a chat", JSON, one::<anthropic::Question>())
        }
        ("POST", "/tokenize") => reads("A text as tokens", JSON, one::<llama::texts::ToTokens>()),
        ("POST", "/detokenize") => reads("Tokens as a text", JSON, one::<llama::texts::ToText>()),
        ("POST", "/apply-template") => reads("A chat as a model is asked it", JSON, one::<llama::texts::ToPrompt>()),
        ("POST", "/rerank" | "/v1/rerank") => {
            reads("Documents by how well they go with a question", JSON, one::<llama::rerank::Wanted>())
        }
        ("POST", "/api/generate") => reads("Answers a prompt", LINES, one::<ollama::generate::Wanted>()),
        ("POST", "/api/chat") => reads("Answers a chat", LINES, one::<ollama::chat::Wanted>()),
        ("POST", "/api/embed") => reads("Makes vectors of texts", JSON, one::<ollama::embed::Wanted>()),
        ("POST", "/api/embeddings") => reads("Makes a vector of a text", JSON, one::<ollama::embed::One>()),
        ("GET", "/api/tags") => says("Models on this machine", JSON),
        ("GET", "/api/ps") => says("Models in memory", JSON),
        ("GET", "/api/version") => says("The version of trillm", JSON),
        ("POST", "/api/show") => reads("What is known of a model", JSON, one::<ollama::show::Wanted>()),
        ("POST", "/api/pull") => reads("Fetches a model", LINES, one::<ollama::pull::Wanted>()),
        ("DELETE", "/api/delete") => reads("Removes a model", &[], one::<ollama::manage::One>()),
        ("POST", "/api/copy") => reads("Gives a model another name, too", &[], one::<ollama::manage::Copied>()),
        ("POST", "/api/create") => {
            reads("Makes a model of another, with other parameters", LINES, one::<ollama::manage::Created>())
        }
        _ => None,
    }
}
