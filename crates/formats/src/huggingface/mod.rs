//! The small files of a Hugging Face model: `config.json` and what says how its tokens are used.

mod added;
mod bert_words;
mod class;
mod config;
mod decoder;
mod encoder;
mod family;
pub(crate) mod fields;
pub(crate) mod file;
mod function;
mod generation;
mod layers;
mod names;
mod prefix;
mod rope;
mod sidecars;
mod templates;
mod tokenizer_class;
mod usual;

pub use added::{Found, NamedToken};
pub use bert_words::BertWords;
pub use class::purpose_of;
pub use config::Config;
pub use decoder::{Activation, Decoder};
pub use encoder::Encoder;
pub use family::Family;
pub use function::Function;
pub use layers::Attention;
pub use prefix::Prefix;
pub use rope::{Rope, RopeScaling};
pub use sidecars::Sidecars;

pub(crate) use class::{class, purpose};
pub(crate) use names::{OUTPUT, is_embedding, is_of_layer, plain as plain_names};
pub(crate) use sidecars::ids as token_ids;

/// The file that a model's tokenizer is in.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Bytes of `config.json` and of files of its kind.
pub(crate) const CONFIG: u64 = 4 << 20;
