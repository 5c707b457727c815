//! GGUF: its keys and tensors, read and written.

mod decoder;
mod defaults;
mod fits;
mod found;
mod keys;
mod tensors;
mod vocabulary;
mod writer;

pub(crate) use decoder::{Present, read as read_decoder, reciprocal, write as write_decoder};
pub(crate) use defaults::write as write_defaults;
pub(crate) use fits::check;
pub(crate) use found::note as note_found;
pub(crate) use keys::Keys;
pub(crate) use tensors::{change, extra, plan};
pub(crate) use vocabulary::{read as read_vocabulary, write as write_vocabulary};
pub(crate) use writer::{ALIGNMENT, Header, Value};
