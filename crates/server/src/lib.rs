//! Models over HTTP: what clients of OpenAI's, Ollama's and Anthropic's interfaces ask for, and the routes of the guide.
//!
//! A [`Server`] serves a [`Served`]: a pool of models, whoever fills it. Its parts are few: `guard.rs` lets requests in,
//! a protocol's file turns its words into an `Ask`, `answer.rs` reads what comes of it, and the protocol
//! puts that into its words again. A protocol adds no logic. Only this crate knows HTTP and an async runtime; nothing
//! in it knows Python.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod anthropic;
mod app;
mod aside;
mod ask;
mod bodies;
mod connections;
mod counts;
mod described;
mod form;
mod guard;
mod guide;
mod health;
mod ignored;
mod input;
mod journal;
mod lines;
mod listed;
mod llama;
mod log;
mod logprobs;
mod logs;
mod manage;
mod messages;
mod metrics;
mod models;
mod ollama;
mod openai;
mod openapi;
mod options;
mod page;
mod parts;
mod rates;
mod refusal;
mod route;
mod routes;
mod served;
mod server;
mod sse;
mod tail;
mod takes;
mod telling;
mod texts;
mod trace;
mod v1;
mod vectors;

pub use models::Models;
pub use options::{Key, Options, Scope};
pub use refusal::Refusal;
pub use route::Route;
pub use routes::routes;
pub use served::{Available, InUse, Loaded, Served};
pub use server::{Error, Server};
