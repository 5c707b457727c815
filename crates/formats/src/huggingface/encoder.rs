//! An encoder's shape: BERT and its like.

use std::path::Path;

use trillm_core::Pooling;

use super::decoder::{VOCABULARY, WIDTH};
use super::fields::Fields;
use super::{Activation, CONFIG, layers, rope};
use crate::{Result, disk, json};

/// A BERT-like encoder: learned positions, norms after each part, every token sees all others.
#[derive(Clone, PartialEq, Debug)]
pub struct Encoder {
    /// `model_type`, as the file says it.
    pub model_type: String,
    /// Width of the hidden state.
    pub width: u32,
    /// Layers.
    pub layers: u32,
    /// Heads; divides `width`.
    pub heads: u32,
    /// Width of the feed-forward part.
    pub feed_forward: u32,
    /// Rows of the token embedding.
    pub vocabulary: u32,
    /// Rows of the position embedding.
    pub context: u32,
    /// Added to the variance in norms (`layer_norm_eps`).
    pub norm_epsilon: f32,
    /// Activation of the feed-forward part.
    pub activation: Activation,
    /// How `1_Pooling/config.json` or, without it, nothing says to pool.
    pub pooling: Option<Pooling>,
    /// The longest text to embed, in tokens, if `sentence_bert_config.json` says it.
    pub max_tokens: Option<u32>,
}

impl Encoder {
    /// Reads an encoder from `config.json`; pooling and the longest text are in other files.
    pub(super) fn read(config: &Fields<'_>, model_type: &str) -> Result<Self> {
        let size = |key, most| {
            let size = config.count(key, 1, most)?;
            size.ok_or_else(|| config.missing(key, format!("a whole number from 1 to {most}")))
        };
        let (width, heads) = (size("hidden_size", WIDTH)?, size("num_attention_heads", WIDTH)?);
        if !width.is_multiple_of(heads) {
            let expected = format!("a divisor of the width {width}");
            return Err(config.wrong("num_attention_heads", heads.to_string(), expected));
        }
        match config.text("position_embedding_type")? {
            None | Some("absolute") => {}
            Some(other) => return Err(config.wrong("position_embedding_type", format!("{other:?}"), "absolute")),
        }
        if config.flag("is_decoder")?.unwrap_or(false) {
            return Err(config.wrong("is_decoder", "true", "false: an encoder"));
        }
        // Read and dropped: the sentence pairs it is for are not embedded, and the tensor says its own size.
        config.count("type_vocab_size", 0, WIDTH)?;
        Ok(Self {
            model_type: model_type.into(),
            width,
            layers: size("num_hidden_layers", layers::LAYERS)?,
            heads,
            feed_forward: size("intermediate_size", WIDTH)?,
            vocabulary: size("vocab_size", VOCABULARY)?,
            context: size("max_position_embeddings", rope::CONTEXT)?,
            norm_epsilon: config.positive("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            activation: Activation::read(config, "hidden_act", "gelu")?,
            pooling: None,
            max_tokens: None,
        })
    }

    /// Adds what a folder of sentence-transformers says: `1_Pooling/config.json` and `sentence_bert_config.json`.
    pub(crate) fn add_sentence_files(&mut self, folder: &Path) -> Result<()> {
        self.pooling = pooling_of(folder)?;
        let longest = |config: &Fields<'_>| config.count("max_seq_length", 1, rope::CONTEXT);
        self.max_tokens = read_small(&folder.join("sentence_bert_config.json"), longest)?.flatten();
        Ok(())
    }
}

/// What `1_Pooling/config.json` in a folder of sentence-transformers says; `None` if there is no such file.
pub(crate) fn pooling_of(folder: &Path) -> Result<Option<Pooling>> {
    Ok(read_small(&folder.join("1_Pooling/config.json"), pooling)?.flatten())
}

/// Reads a small file of one JSON object, if it is there; errors name it.
fn read_small<T>(path: &Path, read: impl FnOnce(&Fields<'_>) -> Result<T>) -> Result<Option<T>> {
    let Some(bytes) = disk::small(path, CONFIG)? else { return Ok(None) };
    let object = json::object(&bytes, CONFIG, "the file");
    object.and_then(|object| read(&Fields::new(&object))).map(Some).map_err(|error| error.of(path))
}

/// The one way of pooling that is switched on.
fn pooling(config: &Fields<'_>) -> Result<Option<Pooling>> {
    const MODES: [(&str, Option<Pooling>); 6] = [
        ("pooling_mode_mean_tokens", Some(Pooling::Mean)),
        ("pooling_mode_cls_token", Some(Pooling::First)),
        ("pooling_mode_lasttoken", Some(Pooling::Last)),
        ("pooling_mode_max_tokens", None),
        ("pooling_mode_mean_sqrt_len_tokens", None),
        ("pooling_mode_weightedmean_tokens", None),
    ];
    let mut found = None;
    for (key, pooling) in MODES {
        if !config.flag(key)?.unwrap_or(false) {
            continue;
        }
        if pooling.is_none() || found.is_some() {
            return Err(config.wrong(key, "true", "exactly one of mean_tokens, cls_token and lasttoken to be true"));
        }
        found = pooling;
    }
    Ok(found)
}
