//! The sections of `tokenizer.json`, each as it is used later.
//!
//! The large ones, vocabulary and merges, go straight into arrays; the others stay the JSON text that they are, up to a
//! size, for the library `tokenizers` and for what reads them here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::oniguruma::rewritten;
use crate::section::Section;
use crate::vocabulary::LIMIT;
use crate::{Error, Result};

/// The largest section that is kept as JSON, in bytes. A precompiled normalizer has half a megabyte.
const SECTION_LIMIT: u64 = 4 << 20;

/// A file whose parts were read, and not yet checked against one another.
#[derive(Deserialize)]
#[serde(expecting = "a tokenizer")]
pub(crate) struct Document<'a> {
    version: Option<String>,
    #[serde(default)]
    pub(crate) added_tokens: Vec<AddedToken>,
    #[serde(borrow)]
    normalizer: Option<&'a RawValue>,
    #[serde(borrow)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow)]
    post_processor: Option<&'a RawValue>,
    #[serde(borrow)]
    decoder: Option<&'a RawValue>,
    pub(crate) model: Section,
}

/// An entry of `added_tokens`.
#[derive(Clone, Deserialize)]
#[serde(expecting = "an added token")]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    #[serde(flatten)]
    pub(crate) token: tokenizers::AddedToken,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let document: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::malformed("the JSON", error.to_string()))?;
        if let Some(version) = document.version.as_ref().filter(|version| *version != "1.0") {
            return Err(Error::Unsupported { what: "version", found: version.clone(), expected: "1.0" });
        }
        if let Some(token) = document.added_tokens.iter().find(|token| token.id >= LIMIT) {
            return Err(Error::Limit { what: "id of an added token", found: token.id.into(), limit: LIMIT.into() });
        }
        Ok(document)
    }

    pub(crate) fn normalizer(&self) -> Result<Option<Cow<'a, str>>> {
        text("bytes of the normalizer", self.normalizer)?.map(rewritten).transpose()
    }

    pub(crate) fn pre_tokenizer(&self) -> Result<Option<Cow<'a, str>>> {
        text("bytes of the pre-tokenizer", self.pre_tokenizer)?.map(rewritten).transpose()
    }

    pub(crate) fn post_processor(&self) -> Result<Option<&'a str>> {
        text("bytes of the post-processor", self.post_processor)
    }

    pub(crate) fn decoder(&self) -> Result<Option<Cow<'a, str>>> {
        text("bytes of the decoder", self.decoder)?.map(rewritten).transpose()
    }
}

fn text<'a>(what: &'static str, section: Option<&'a RawValue>) -> Result<Option<&'a str>> {
    let found = section.map_or(0, |section| section.get().len() as u64);
    if found > SECTION_LIMIT {
        return Err(Error::Limit { what, found, limit: SECTION_LIMIT });
    }
    Ok(section.map(RawValue::get).filter(|text| *text != "null"))
}
