//! A Hugging Face folder: its small files and tensors, read and written.

mod config;
mod reader;
mod safetensors;
mod tensors;
#[cfg(test)]
mod tests;
mod tokenizer;

pub(crate) use config::{config, generation_config};
pub(crate) use reader::read as read_vocabulary;
pub(crate) use safetensors::header;
pub(crate) use tensors::plan;
pub(crate) use tokenizer::{tokenizer, tokenizer_config};
