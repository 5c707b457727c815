//! From a sound file to [`ModelInfo`].

use std::collections::BTreeMap;

use trillm_core::{ModelInfo, Purpose, Shape};

use super::hyper::{self, Hyper};
use super::keys::Keys;
use super::tensor::Tensor;
use super::tokenizer::{self, Vocabulary};
use super::{Gguf, needs, types, weights};
use crate::{Error, Result};

const MERGES: &str = "tokenizer.ggml.merges";
const ORIGINAL_CONTEXT: &str = "rope.scaling.original_context_length";

impl Gguf<'_> {
    /// Checks that this file, alone, makes a model that an engine may load, and says what it is.
    ///
    /// `path` is left empty, and `name` too if the file does not name the model.
    ///
    /// # Errors
    /// [`Error::VocabularyOnly`] if there are no tensors; otherwise what an engine would stumble over.
    pub fn model(&self) -> Result<ModelInfo> {
        self.model_with(&[])
    }

    /// The same for a model whose tensors continue in other files.
    pub(crate) fn model_with(&self, others: &[Gguf<'_>]) -> Result<ModelInfo> {
        let Hyper { layers, width, context, heads, kept, purpose, pipeline, notes } = match hyper::architecture(self) {
            Ok(_) if self.tensors.is_empty() && others.iter().all(|other| other.tensors.is_empty()) => {
                return Err(Error::VocabularyOnly);
            }
            Ok(_) => hyper::read(self)?,
            Err(error) => return Err(error),
        };
        let mut info = self.vocabulary()?;
        for file in std::iter::once(self).chain(others) {
            weights::check(file)?;
        }
        let tensors = || self.tensors.iter().chain(others.iter().flat_map(|other| &other.tensors));
        weights::embedding(tensors(), width, info.vocabulary)?;
        let keys = Keys { gguf: self, architecture: &info.architecture };
        needs::check(&keys, kept.as_deref(), &tensors().collect::<Vec<_>>())?;
        info.bytes = std::iter::once(self).chain(others).map(|file| file.file_size).sum();
        info.parameters = tensors().map(Tensor::elements).fold(0, u64::saturating_add);
        let mut weights: BTreeMap<String, u64> = BTreeMap::new();
        for tensor in tensors() {
            *weights.entry(tensor.kind.name.into()).or_default() += tensor.bytes;
        }
        let vocabulary = info.vocabulary;
        let merges = self.strings(MERGES)?.map_or(0, <[_]>::len);
        let entries = u64::from(vocabulary) + merges as u64;
        info.shape = Shape { width, vocabulary, layers: kept, weights, heads, entries, ..Shape::default() };
        for product in weights::products(&tensors().collect::<Vec<_>>(), purpose == Purpose::Text) {
            info.shape.add_product(product);
        }
        info.quantization = self.quantization(&info.shape)?;
        info.context_trained = context;
        let is_long = |tensor: &Tensor<'_>| tensor.name.ends_with("rope_factors_long.weight");
        if tensors().any(is_long) {
            let original = keys.u32(ORIGINAL_CONTEXT)?;
            info.short_context = Some(original.unwrap_or(context));
        }
        info.width = width;
        info.layers = layers;
        info.purpose = purpose;
        info.pipeline = pipeline;
        info.notes.extend(notes);
        Ok(info)
    }

    /// Checks that this file holds a tokenizer, and says what it is. Tensors may be absent, and so may the numbers
    /// that size a model: they are given if they are there.
    ///
    /// # Errors
    /// What llama.cpp's vocabulary would stumble over.
    pub fn vocabulary(&self) -> Result<ModelInfo> {
        let Vocabulary { architecture, words, mut notes, warning, .. } = self.tokenizer()?;
        let keys = Keys { gguf: self, architecture };
        let number = |key: &str| keys.u32(key).map(Option::unwrap_or_default);
        // Some padding is natural: writers align the end, too.
        let trailing = self.trailing();
        if !self.tensors.is_empty() && trailing >= u64::from(self.alignment) {
            notes.push(format!("{trailing} bytes behind the last tensor are ignored"));
        }
        let mut info = ModelInfo {
            name: self.text("general.name")?.unwrap_or_default().into(),
            format: "gguf",
            architecture: architecture.into(),
            bytes: self.file_size,
            context_trained: number("context_length")?,
            width: number("embedding_length")?,
            layers: number("block_count")?,
            vocabulary: words.len() as u32,
            chat_templates: self.chat_templates()?,
            special_tokens: self.special_tokens()?,
            defaults: self.defaults(&mut notes),
            license: self.text("general.license")?.map(Into::into),
            notes,
            ..ModelInfo::default()
        };
        if let Some(warning) = warning {
            info.warn(warning);
        }
        Ok(info)
    }

    /// The tokenizer of this file.
    ///
    /// # Errors
    /// What llama.cpp's vocabulary would stumble over.
    pub fn tokenizer(&self) -> Result<Vocabulary<'_>> {
        tokenizer::read(self)
    }

    /// The name of the whole mix (`general.file_type`) where the weights agree with it, else the type that most bytes are
    /// in.
    fn quantization(&self, shape: &Shape) -> Result<String> {
        let (dominant, kinds) = (shape.dominant(), shape.weights.keys().map(String::as_str));
        let named = self.u32("general.file_type")?.and_then(|id| types::file_type(id, dominant, kinds));
        Ok(named.unwrap_or(dominant).into())
    }
}
