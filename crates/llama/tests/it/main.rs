//! The engine on real files. One program, as each links all of llama.cpp.

mod adapter;
mod cache;
mod common;
mod conformance;
mod embedding;
mod grown;
mod headers;
mod load;
mod needs;
mod reference;
mod session;
mod tokenizer;
